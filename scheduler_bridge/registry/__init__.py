"""Makes the Job rows match the definitions, and reads them back as what the runner schedules."""

from .effective import ROUTING, as_saved, definition_of, plan_of, queue_of, settle, trigger_of
from .matching import sync
from .timetable import Planned, Reader, Reading, due, load, peek

__all__ = [
    "ROUTING",
    "Planned",
    "Reader",
    "Reading",
    "as_saved",
    "definition_of",
    "due",
    "load",
    "peek",
    "plan_of",
    "queue_of",
    "settle",
    "sync",
    "trigger_of",
]
