"""What each key of the settings accepts, and what is said of a value that it does not."""

from collections.abc import Callable, Mapping
from datetime import timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

QUEUE_LIMIT: Final = 100  # characters of the column


def is_trigger(value: object) -> bool:
    """Tell whether this object can say fire times as APScheduler's triggers do."""
    try:
        return callable(getattr(value, "get_next_fire_time", None))
    except (Exception, SystemExit):  # an object of others may raise anything
        return False


def _is_zone(value: object) -> bool:
    if not isinstance(value, str):
        return isinstance(value, tzinfo)
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):
        return False
    return True


def _is_positive(value: object) -> bool:
    return isinstance(value, timedelta) and value > timedelta(0)


def _is_limit(value: object) -> bool:
    return value is None or _is_positive(value)


def _is_span(value: object) -> bool:
    return isinstance(value, timedelta) and value >= timedelta(0)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_way(value: object) -> bool:
    return isinstance(value, str) and value in ("auto", "exec", "fork")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_alias(value: object) -> bool:
    return value is None or (isinstance(value, str) and bool(value))


def is_queue(value: object) -> bool:
    """Tell whether this can be the name of a queue."""
    return isinstance(value, str) and 0 < len(value) <= QUEUE_LIMIT and value.isprintable()


def _is_queue_or_none(value: object) -> bool:
    return value is None or is_queue(value)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


Test = Callable[[Any], bool]
EXPECTED: Final[Mapping[str, tuple[Test, str]]] = {
    "OVERRIDES": (_is_mapping, "a dict of job names"),
    "NOTIFY": (_is_texts, "a list of addresses"),
    "FROM_EMAIL": (_is_text, "an address"),
    "TIME_ZONE": (_is_zone, "the name of a time zone"),
    "TIMEOUT": (_is_limit, "a positive timedelta or None"),
    "KILL_AFTER": (_is_span, "a timedelta"),
    "STOP_GRACE": (_is_span, "a timedelta"),
    "OUTPUT_LIMIT": (_is_count, "a number of bytes"),
    "HISTORY_AGE": (_is_span, "a timedelta"),
    "HISTORY_KEEP": (_is_count, "a number of runs"),
    "DATABASE": (_is_text, "the alias of a database"),
    "SPAWN": (_is_way, "auto, exec or fork"),
    "HIDDEN_ENVIRONMENT": (_is_texts, "a list of names or patterns of variables"),
    "TASKS_BACKEND": (_is_alias, "an alias of TASKS or None"),
    "SITE_URL": (_is_text, "an address such as https://www.example.com"),
}
OVERRIDE_EXPECTED: Final[Mapping[str, tuple[Test, str]]] = {
    "trigger": (is_trigger, "a trigger object"),
    "enabled": (_is_bool, "True or False"),
    "timeout": (_is_limit, "a positive timedelta or None"),
    "notify_on_success": (_is_bool, "True or False"),
    "args": (_is_texts, "a list of texts, as on a command line"),
    "queue": (_is_queue_or_none, "the name of a queue or None"),
}
