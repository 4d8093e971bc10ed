"""The ``SCHEDULER_BRIDGE`` setting, read once into a frozen object; every default lives here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, tzinfo
from functools import cache
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from .accepted import EXPECTED, OVERRIDE_EXPECTED, Test, is_trigger
from .exceptions import ConfigurationError
from .object_text import repr_line


class Unset:
    """The mark of a value that nobody gave; ``None`` is a value of its own (no timeout)."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET: Final = Unset()


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsOverride:
    """What ``OVERRIDES`` says of one job; a key that is not there is ``UNSET``."""

    trigger: Any = UNSET
    interval: Any = UNSET
    times: Any = UNSET
    enabled: bool | Unset = UNSET
    timeout: timedelta | None | Unset = UNSET
    notify_on_success: bool | Unset = UNSET
    args: tuple[str, ...] | Unset = UNSET
    queue: str | None | Unset = UNSET  # None: in the runner itself


OVERRIDE_KEYS: Final = tuple(item.name for item in fields(SettingsOverride))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings of scheduler_bridge."""

    overrides: Mapping[str, SettingsOverride] = field(default_factory=dict)
    notify: tuple[str, ...] = ()
    from_email: str = ""
    time_zone: tzinfo = ZoneInfo("UTC")
    timeout: timedelta | None = timedelta(minutes=2)
    kill_after: timedelta = timedelta(seconds=5)
    # How long a stopping runner lets the current run go on; TimeoutStopSec of the unit must exceed it.
    stop_grace: timedelta = timedelta(seconds=30)
    output_limit: int = 1024 * 1024  # bytes
    history_age: timedelta = timedelta(days=90)
    history_keep: int = 20  # newest runs of each job that are never pruned
    database: str = "default"
    # "exec" starts a new program for each external run, "fork" forks one that has loaded the project, "auto" forks
    # where such a fork is as good as a new program.
    spawn: str = "auto"
    hidden_environment: tuple[str, ...] = ()  # variables that external jobs do not get; "AWS_*" names many
    # The alias in Django's TASKS of the engine that performs the runs of jobs with a queue; None: the runner does.
    tasks_backend: str | None = None
    site_url: str = ""  # "https://www.example.com", for links in mails

    def local(self, moment: datetime) -> datetime:
        """Give an aware moment in the zone of the times of day, in which people read it."""
        return moment.astimezone(self.time_zone)


KEYS: Final = tuple(item.name.upper() for item in fields(Settings))


def load() -> Settings:
    """Give the settings in force.

    Raises:
        ConfigurationError: a key is unknown or a value cannot be used.
    """
    return _load()


@cache
def _load() -> Settings:
    given = raw()
    found = problems(given)
    if found:
        raise ConfigurationError("SCHEDULER_BRIDGE: " + "; ".join(found))
    return _settings(given)


def load_sound() -> Settings:
    """Return the settings without what is wrong in them, so that a check finds what else is wrong."""
    given = raw()
    if not isinstance(given, Mapping):
        return _settings({})
    sound = {key: value for key, value in given.items() if key in KEYS and _accepts(EXPECTED[key][0], value)}
    overrides = sound.get("OVERRIDES", {})
    sound["OVERRIDES"] = {name: _sound_override(value) for name, value in overrides.items()}
    return _settings(sound)


def _sound_override(value: Any) -> Any:
    """Return the entry of one job without what is wrong in it."""
    if not override_problems(value):
        return value
    return {key: said for key, said in value.items() if not override_problems({key: said})} if _is_dict(value) else {}


def _settings(given: Mapping[str, Any]) -> Settings:
    values: dict[str, Any] = {
        "notify": project_admins(),
        "from_email": django_settings.SERVER_EMAIL,
        "time_zone": ZoneInfo(django_settings.TIME_ZONE or "UTC"),
    }
    for key, value in given.items():
        values[key.lower()] = _CONVERT.get(key, _same)(value)
    return Settings(**values)


def raw() -> Mapping[str, Any]:
    """Give the dict as the project wrote it; empty where it wrote none."""
    return getattr(django_settings, "SCHEDULER_BRIDGE", None) or {}


def project_admins() -> tuple[str, ...]:
    """Give the addresses in ``ADMINS``, which holds addresses or, before Django 6, (name, address) pairs."""
    return tuple(entry if isinstance(entry, str) else entry[1] for entry in django_settings.ADMINS)


def problems(given: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with a settings dict, one sentence each; empty when nothing is."""
    if not isinstance(given, Mapping):
        return [f"expected a dict, got: {repr_line(given)}"]
    found = [f"unknown key {repr_line(key)}, expected one of {', '.join(KEYS)}" for key in given if key not in KEYS]
    found += _unaccepted(given, EXPECTED)
    overrides = given.get("OVERRIDES", {})
    if isinstance(overrides, Mapping):
        for name, value in overrides.items():
            found += [f"OVERRIDES[{repr_line(name)}]: {text}" for text in override_problems(value)]
    return found


def override_problems(value: Any) -> list[str]:
    """Say what is wrong with the entry of one job in ``OVERRIDES``, leaving intervals and times to their parser."""
    if not _is_dict(value):
        return [] if is_trigger(value) else [f"expected a dict or a trigger object, got: {repr_line(value)}"]
    keys = ", ".join(OVERRIDE_KEYS)
    found = [f"unknown key {repr_line(key)}, expected one of {keys}" for key in value if key not in OVERRIDE_KEYS]
    if len([key for key in ("trigger", "interval", "times") if value.get(key) is not None]) > 1:
        found.append("expected only one of trigger, interval and times")
    return found + _unaccepted(value, OVERRIDE_EXPECTED)


def _unaccepted(given: Mapping[str, Any], expected: Mapping[str, tuple[Test, str]]) -> list[str]:
    return [
        f"{key}: expected {words}, got: {repr_line(given[key])}"
        for key, (accepts, words) in expected.items()
        if key in given and not _accepts(accepts, given[key])
    ]


def _accepts(test: Test, value: Any) -> bool:
    try:
        return test(value)
    except (Exception, SystemExit):  # what it is asked about may be code of others
        return False


def _is_dict(value: Any) -> bool:
    return _accepts(lambda given: isinstance(given, Mapping), value)


def _same(value: Any) -> Any:
    return value


def _zone(value: str | tzinfo) -> tzinfo:
    return ZoneInfo(value) if isinstance(value, str) else value


def _override(value: Any) -> SettingsOverride:
    if not _is_dict(value):
        return SettingsOverride(trigger=value)
    args = value.get("args", UNSET)
    return SettingsOverride(**{**value, "args": args if isinstance(args, Unset) else tuple(args)})


def _overrides(value: Mapping[str, Any]) -> Mapping[str, SettingsOverride]:
    return MappingProxyType({name: _override(entry) for name, entry in value.items()})


_CONVERT: Final[Mapping[str, Callable[[Any], Any]]] = {
    "OVERRIDES": _overrides,
    "NOTIFY": tuple,
    "HIDDEN_ENVIRONMENT": tuple,
    "TIME_ZONE": _zone,
}


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting in {"SCHEDULER_BRIDGE", "ADMINS", "SERVER_EMAIL", "TIME_ZONE"}:
        _load.cache_clear()


setting_changed.connect(_forget, dispatch_uid="scheduler_bridge.conf")
