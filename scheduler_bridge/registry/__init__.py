"""Makes the Job rows match the definitions, and reads them back as what the runner schedules."""

from .effective import (
    ROUTING,
    as_saved,
    definition_of,
    following,
    plan_of,
    queue_of,
    release,
    release_all,
    settle,
    trigger_of,
)
from .matching import sync
from .timetable import Planned, Reader, Reading, due, load, note, owed, peek

__all__ = [
    "ROUTING",
    "Planned",
    "Reader",
    "Reading",
    "as_saved",
    "definition_of",
    "due",
    "following",
    "load",
    "note",
    "owed",
    "peek",
    "plan_of",
    "queue_of",
    "release",
    "release_all",
    "settle",
    "sync",
    "trigger_of",
]
