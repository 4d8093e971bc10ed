"""Makes the Job rows match the definitions, and reads them back as what the runner schedules."""

from .effective import ROUTING, definition_of, plan_of, queue_of, settle, time_anew, trigger_of
from .matching import sync
from .timetable import Planned, Reader, Reading, due, load, peek

__all__ = [
    "ROUTING",
    "Planned",
    "Reader",
    "Reading",
    "definition_of",
    "due",
    "load",
    "peek",
    "plan_of",
    "queue_of",
    "settle",
    "sync",
    "time_anew",
    "trigger_of",
]
