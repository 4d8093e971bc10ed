"""What tells one schedule from another, in every process alike."""

import json
from collections.abc import Mapping, Set
from datetime import tzinfo
from typing import Any

from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import BaseCombiningTrigger
from apscheduler.triggers.interval import IntervalTrigger

from .. import schedules
from ..object_text import qualified_type_name, repr_of
from ..schedules import Custom, Schedule
from .calendar_interval import floats, unanchored


def fingerprint(schedule: Schedule, zone: tzinfo) -> str:
    """Give a text that is the same in every process, and changes exactly when the fire times do."""
    if isinstance(schedule, Custom):
        return json.dumps({"trigger": _guarded(schedule.trigger)})
    return schedules.fingerprint(schedule, zone)


def interval_floats(trigger: Any) -> bool:
    """Return whether an interval has no start of its own: APScheduler lets it begin at the moment it was made.

    Nobody writes a start with microseconds, and that moment has them.
    """
    return isinstance(trigger, IntervalTrigger) and bool((trigger.start_date - trigger.interval).microsecond)


def _guarded(trigger: Any) -> str:
    try:
        return _stamp(trigger)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return qualified_type_name(trigger)


def _stamp(trigger: Any) -> str:
    name = type(trigger).__name__
    if isinstance(trigger, BaseCombiningTrigger):
        text = ", ".join(_guarded(member) for member in trigger.triggers)
        return f"{name}({text}{_random(trigger)})"
    if interval_floats(trigger):
        end = f", {trigger.end_date}" if trigger.end_date else ""
        return f"{name}({trigger.interval}{end}{_random(trigger)})"
    if isinstance(trigger, CalendarIntervalTrigger):
        return f"{unanchored(trigger) if floats(trigger) else repr_of(trigger)}{_random(trigger)}"
    if getattr(type(trigger), "__repr__", None) is not object.__repr__:
        return repr_of(trigger)
    return f"{qualified_type_name(trigger)}({_value(_state(trigger))})"


def _random(trigger: Any) -> str:
    return f", jitter={trigger.jitter}" if trigger.jitter else ""


def _state(trigger: Any) -> Any:
    """Return what a trigger without a text of its own holds: what it would store, or its public attributes."""
    own = getattr(type(trigger), "__getstate__", None)
    if own is not None and own is not getattr(object, "__getstate__", None):
        return trigger.__getstate__()
    slots = [found for type_ in type(trigger).__mro__ for found in _slots(type_)]
    names = {*slots, *getattr(trigger, "__dict__", {})}
    return {name: getattr(trigger, name) for name in names if not name.startswith("_") and hasattr(trigger, name)}


def _slots(type_: type) -> tuple[str, ...]:
    found = vars(type_).get("__slots__", ())
    return (found,) if isinstance(found, str) else tuple(found)


def _value(value: Any) -> str:
    """Return a value as a text whose order does not depend on the process."""
    if isinstance(value, Mapping):
        return ", ".join(sorted(f"{_value(key)}={_value(item)}" for key, item in value.items()))
    if isinstance(value, Set):
        return f"{{{', '.join(sorted(_value(item) for item in value))}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    return _guarded(value) if callable(getattr(type(value), "get_next_fire_time", None)) else repr_of(value)
