"""Triggers of the project's own, which break as soon as a file says so, and whatever else a test wants to time by."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

FOLDER = Path(os.environ["SITE_FOLDER"])


class EachSecond(BaseTrigger):
    """Fires every second, as long as there is no file "break"; that one says how it breaks."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        breaking = FOLDER / "break"
        if breaking.exists():
            with (FOLDER / "asked").open("a") as file:
                file.write(f"{os.getpid()}\n")
            if breaking.read_text() == "sleep":
                time.sleep(1000)
            raise ValueError("no such holiday")
        return now.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)

    def __repr__(self) -> str:
        return "<EachSecond>"


def made(text: str) -> BaseTrigger:
    """Return the trigger that a test wrote down."""
    if text == "EachSecond":
        return EachSecond()
    fields = dict(part.split("=") for part in text.split())
    return CronTrigger(**fields)
