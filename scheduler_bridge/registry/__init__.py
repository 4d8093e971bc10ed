"""Makes the Job rows match the definitions, and reads them back as what the runner schedules."""

from .effective import definition_of, plan_of, settle, trigger_of
from .matching import sync
from .timetable import Planned, Reader, Reading, due, load

__all__ = ["Planned", "Reader", "Reading", "definition_of", "due", "load", "plan_of", "settle", "sync", "trigger_of"]
