"""The work as functions, for the schedulers that call functions."""

import subprocess
import sys

from django.conf import settings
from django.core.management import call_command

from . import trace


def noop() -> None:
    """Do nothing, as a command in this process."""
    call_command("noop")


def outside() -> None:
    """Do nothing, as a command in a process of its own."""
    subprocess.run([sys.executable, str(settings.BASE_DIR / "manage.py"), "noop"], check=True)


def nap() -> None:
    """Take 200 ms, as a command in this process."""
    call_command("nap")


def outside_nap() -> None:
    """Take 200 ms, as a command in a process of its own."""
    subprocess.run([sys.executable, str(settings.BASE_DIR / "manage.py"), "nap"], check=True)


def tick() -> None:
    """Write down when it starts."""
    trace.note("tick")


def head() -> None:
    """Write down when the first of two ends."""
    trace.note("head")


def tail() -> None:
    """Write down when the second of two starts."""
    trace.note("tail")
