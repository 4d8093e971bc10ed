"""Writes the site of a chaos run: its settings, its commands, and where they write what they do."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Final

from .plan import APP, Specimen

SETTINGS: Final = '''\
"""The settings of a site that is put under strain."""

import json
import os
from datetime import timedelta

from %s import *

DATABASES = {"default": json.loads(os.environ["SITE_DATABASE"])}
'''

CONFIG: Final = f'''\
from django.apps import AppConfig

from tests.chaos import points


class Config(AppConfig):
    name = "{APP}"

    def ready(self):
        points.install()
'''


def write_site(folder: Path, jobs: Sequence[Specimen], begins: datetime, minutes: float, shared: str) -> None:
    """Write everything that the processes of this run import; ``shared`` is the module of the settings all have."""
    commands = package(package(package(folder / APP) / "management") / "commands")
    (folder / "site_settings.py").write_text(SETTINGS % shared)
    (folder / APP / "apps.py").write_text(CONFIG)
    for job in jobs:
        (commands / f"{job.command}.py").write_text(source(job, fire_times(job, begins, minutes)))


def fire_times(job: Specimen, begins: datetime, minutes: float) -> tuple[datetime, ...]:
    """Give the moments of the times of day of this job, from the full minute before the window to well after it."""
    start = begins.replace(second=0, microsecond=0)
    count = int(minutes) + 8
    found = (start + timedelta(minutes=minute, seconds=second) for minute in range(count) for second in job.at_seconds)
    return tuple(found)


def package(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    return folder


def source(job: Specimen, moments: Sequence[datetime]) -> str:
    """Give the module of one command."""
    lines = [f"internal = {job.internal}"]
    if job.every is not None:
        lines.append(f"scheduled_interval = timedelta(seconds={job.every})")
    if moments:
        lines.append(f"scheduled_times = {[f'{moment:%H:%M:%S}' for moment in moments]}")
    if job.timeout is not None:
        lines.append(f"timeout = timedelta(seconds={job.timeout})")
    if job.followers:
        lines.append(f"trigger_next_jobs = {list(job.followers)}")
    if job.queue:
        lines.append(f'queue = "{job.queue}"')
    if job.asks:
        lines.append("should_run = staticmethod(specimen.may_run)")
    body = "\n".join(f"        {line}" for line in lines)
    head = dedent(f"""\
        from datetime import timedelta

        from django.core.management.base import BaseCommand

        from tests.chaos import specimen


        class Command(BaseCommand):
            help = "{job.habit or "works"}"

            class ScheduledJob:
    """)
    call = f'specimen.execute("{job.name}", {job.lasts}, "{job.habit}")'
    return f"{head}{body}\n\n    def handle(self, *args, **options):\n        {call}\n"
