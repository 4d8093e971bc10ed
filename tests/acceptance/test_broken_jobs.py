"""A project of its own with a manage.py: one job whose parser fails keeps nothing else from working."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
execute_from_command_line(sys.argv)
"""
SETTINGS = """
SECRET_KEY = "only for tests"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django_apscheduler", "scheduler_bridge", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {{"default": {database}}}
"""
SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": "site.sqlite3",
    "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"},
}
MODELS = """
from django.db import models
class Country(models.Model):
    code = models.CharField(max_length=2)
"""
HEAD = """
from datetime import timedelta
from django.core.management.base import BaseCommand
class Command(BaseCommand):
    class ScheduledJob:
        scheduled_interval = timedelta(seconds=1)
    def handle(self, *args, **options):
        self.stdout.write("done")
    def add_arguments(self, parser):
"""
PARSERS = {
    "sound": "        pass",
    "inside": '        parser.add_argument("-v", "--vendor")',
    "clash": '        parser.add_argument("-v", "--vendor")',
    "file": '        print("reading"); parser.add_argument("--feed", choices=open("feeds.txt").read().split())',
    "table": (
        "        from shop.models import Country\n"
        '        parser.add_argument("--country", choices=[country.code for country in Country.objects.all()])'
    ),
}


class Project:
    def __init__(self, folder: Path, database: dict[str, object]) -> None:
        self.folder = folder
        commands = folder / "shop" / "management" / "commands"
        commands.mkdir(parents=True)
        for package in (commands, commands.parent, folder / "shop"):
            (package / "__init__.py").touch()
        for name, parser in PARSERS.items():
            head = HEAD.replace("seconds=1)", "seconds=1)\n        internal = True") if name == "inside" else HEAD
            (commands / f"{name}.py").write_text(head + parser)
        (folder / "shop" / "models.py").write_text(MODELS)
        (folder / "manage.py").write_text(MANAGE)
        (folder / "settings.py").write_text(SETTINGS.format(database=database))

    def manage(self, *words: str, code: int = 0) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=90)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


def column(listed: str) -> dict[str, str]:
    return {line.split()[0]: line.split()[1] for line in listed.splitlines() if line.startswith("shop.")}


def test_one_bad_parser_stops_nothing_from_an_empty_database_to_a_run(tmp_path):
    project = Project(tmp_path, SQLITE)
    said = project.manage("check")
    assert "shop.clash (shop.management.commands.clash): its arguments cannot be read: ArgumentError: " in said
    assert "shop.file (shop.management.commands.file): its arguments cannot be read: FileNotFoundError: " in said
    assert "its add_arguments asks the database default, so its args are not checked here" in said
    assert "reading" not in said
    project.manage("makemigrations", "--check", "--dry-run")
    said = project.manage("migrate", "--run-syncdb")
    assert "broken job shop.clash: its arguments cannot be read: ArgumentError: " in said
    broken = {"shop.clash": "broken", "shop.file": "broken", "shop.inside": "broken"}
    assert column(project.manage("scheduledjobs", "list")) == {**broken, "shop.sound": "yes", "shop.table": "yes"}
    project.manage("scheduledjobs", "run", "shop.clash")
    project.manage("runapscheduler", "--once")
    clash = "ArgumentError: argument -v/--vendor: conflicting option string: -v"
    file = "FileNotFoundError: [Errno 2] No such file or directory: 'feeds.txt'"
    assert ended(project) == {
        ("clash", "manual", "failed", f"exit code 1: argparse.{clash}"),
        ("clash", "schedule", "failed", f"exit code 1: argparse.{clash}"),
        ("file", "schedule", "failed", f"exit code 1: {file}"),
        ("inside", "schedule", "failed", clash),
        ("sound", "schedule", "succeeded", ""),
        ("table", "schedule", "succeeded", ""),
    }
    said = project.manage("scheduledjobs", "why", "shop.clash")
    assert said.startswith(f"shop.clash: its arguments cannot be read: {clash}")


def ended(project: Project) -> set[tuple[str, ...]]:
    columns = '"job__command", "cause", "status", "reason"'
    code = f"from scheduler_bridge.models import Run; print(list(Run.objects.values_list({columns})))"
    rows = ast.literal_eval(project.manage("shell", "-v0", "-c", code))
    return {row for row in rows if row[0] in PARSERS}


def test_check_passes_at_once_where_no_database_answers(tmp_path):
    pytest.importorskip("psycopg")
    # An address of no machine: to connect to it would take minutes.
    database = {"ENGINE": "django.db.backends.postgresql", "HOST": "192.0.2.1", "NAME": "shop"}
    said = Project(tmp_path, database).manage("check")
    assert "its add_arguments asks the database default, so its args are not checked here" in said
