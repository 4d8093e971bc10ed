import os
import sys

import pytest

from scheduler_bridge.execution.origin import PRIVATE, Origin


@pytest.mark.parametrize("name", sorted(PRIVATE))
def test_the_line_to_systemd_is_the_runners_alone(monkeypatch, name):
    monkeypatch.setenv(name, "secret")
    assert name not in Origin.from_process().environment


def test_variables_that_the_project_hides_are_not_handed_on(monkeypatch):
    for name in ("BANK_PASSWORD", "AWS_SECRET", "AWSOME"):
        monkeypatch.setenv(name, "secret")
    environment = Origin.from_process(["BANK_PASSWORD", "AWS_*"]).environment
    assert not {"BANK_PASSWORD", "AWS_SECRET"} & environment.keys()
    assert {"AWSOME", "PATH"} <= environment.keys()


def test_output_is_unbuffered_utf_8_unless_the_project_says_otherwise(monkeypatch):
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    environment = Origin.from_process().environment
    assert (environment["PYTHONUNBUFFERED"], environment["PYTHONUTF8"]) == ("1", "0")


@pytest.mark.parametrize(
    ("text", "is_own"),
    [("from django.core.management import execute_from_command_line\n", True), ("print('another tool')\n", False)],
)
def test_the_projects_own_way_in_is_used_where_there_is_one(monkeypatch, tmp_path, text, is_own):
    script = tmp_path / "manage.py"
    script.write_text(text)
    monkeypatch.setattr(sys, "argv", [str(script), "runapscheduler"])
    head = Origin.from_process().head
    assert head[0] == sys.executable
    assert head[-1:] == (str(script),) if is_own else head[-2:] == ("-m", "django")


def test_the_folder_that_python_searched_first_comes_first(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert Origin.from_process().environment["PYTHONPATH"] == os.pathsep.join([str(tmp_path), "/elsewhere"])


def test_what_a_job_changes_later_does_not_count(monkeypatch):
    origin = Origin.from_process()
    monkeypatch.setenv("LEFT_BY_A_JOB", "1")
    assert "LEFT_BY_A_JOB" not in origin.environment


def test_a_worker_starts_commands_from_where_it_has_the_project_itself(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/celery", "worker"])
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    origin = Origin.from_worker(["AWS_*"])
    assert origin.head[-2:] == ("-m", "django")
    folders = origin.environment["PYTHONPATH"].split(os.pathsep)
    assert str(tmp_path) in folders
    assert not [folder for folder in folders if folder.endswith((".zip", "lib-dynload", "site-packages"))]


def test_a_worker_that_is_started_by_the_projects_own_program_starts_commands_by_it(monkeypatch, tmp_path):
    script = tmp_path / "manage.py"
    script.write_text("from django.core.management import execute_from_command_line\n")
    monkeypatch.setattr(sys, "argv", [str(script), "rqworker"])
    assert Origin.from_worker().head[-1] == str(script)
