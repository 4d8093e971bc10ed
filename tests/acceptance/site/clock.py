"""A wall clock that can be set, or is wrong from the start: the monotonic one goes on, as in a real step."""

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

SETTING = Path(os.environ["SITE_FOLDER"], "clock")  # seconds by which the clock is wrong
AHEAD = float(os.environ.get("SITE_AHEAD", "0"))  # seconds
WATCHED = ("scheduler_bridge", "apscheduler.schedulers")


class _LikeReal(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, datetime)


class Clock(datetime, metaclass=_LikeReal):
    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(seconds=wrong_by())


def wrong_by() -> float:
    """Give the seconds by which the clock is wrong; a setting that is just being written is empty for a moment."""
    while SETTING.exists():
        if text := SETTING.read_text():
            return float(text)
    return AHEAD


def install() -> None:
    """Let the scheduler read this clock."""
    for name, module in list(sys.modules.items()):
        if name.startswith(WATCHED) and getattr(module, "datetime", None) is datetime:
            module.datetime = Clock
