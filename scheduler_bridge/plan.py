"""JobPlan: the effective answer for one job, and which layer said each value (code < settings < database)."""

from dataclasses import dataclass
from datetime import timedelta, tzinfo
from enum import StrEnum
from typing import Any, Generic, TypeVar

from . import schedules, triggers
from .conf import Settings, SettingsOverride, Unset
from .definition import JobDefinition
from .exceptions import ScheduleError
from .models import Job
from .schedules import Custom, DailyTimes, Interval, Schedule

T = TypeVar("T")


class Source(StrEnum):
    """The layer that said a value; each wins over those above it."""

    DEFAULT = "default"
    CODE = "code"
    SETTINGS = "settings"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class Sourced(Generic[T]):
    """A value and the layer it comes from."""

    value: T
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPlan:
    """What holds for one job now."""

    name: str
    definition: JobDefinition
    schedule: Sourced[Schedule]
    enabled: Sourced[bool]
    timeout: Sourced[timedelta | None]
    notify_on_success: Sourced[bool]
    args: Sourced[tuple[str, ...]]
    queue: Sourced[str]  # of the engine that performs the runs; empty: the runner does
    zone: tzinfo
    code_schedule: Schedule
    settings_schedule: Schedule | None
    problems: tuple[str, ...] = ()

    @property
    def schedule_key(self) -> str:
        """A text that changes when the fire times owed change: the schedule, or that there are none."""
        return triggers.fingerprint(self.schedule.value, self.zone) if self.enabled.value else "disabled"


def make_plan(definition: JobDefinition, settings: Settings, row: Job) -> JobPlan:
    """Lay the three layers over each other, value by value."""
    override = settings.overrides.get(definition.name, SettingsOverride())
    from_settings = settings_schedule(override)
    from_database, problems = database_schedule(row)
    return JobPlan(
        name=definition.name,
        definition=definition,
        schedule=_schedule(definition.schedule, from_settings, from_database),
        enabled=_switch(row.enabled, row.enabled_default, override.enabled, Source.DEFAULT),
        timeout=_timeout(definition, settings, override),
        notify_on_success=_switch(row.notify_on_success, row.notify_default, override.notify_on_success, Source.CODE),
        args=args_of(definition, override),
        queue=queue_of(definition, settings, row),
        zone=settings.time_zone,
        code_schedule=definition.schedule,
        settings_schedule=from_settings,
        problems=problems,
    )


def base_enabled(override: SettingsOverride) -> bool:
    """Say whether the job is enabled before a person changes it."""
    return True if isinstance(override.enabled, Unset) else override.enabled


def base_notify(definition: JobDefinition, override: SettingsOverride) -> bool:
    """Say whether successful runs are mailed before a person changes it."""
    value = override.notify_on_success
    return definition.notify_on_success if isinstance(value, Unset) else value


def settings_schedule(override: SettingsOverride) -> Schedule | None:
    """Give the schedule that ``OVERRIDES`` states, or None.

    Raises:
        ScheduleError: its interval or its times cannot be used.
    """
    if _given(override.trigger):
        return Custom(override.trigger)
    if _given(override.interval):
        return schedules.parse_interval(override.interval)
    return schedules.parse_times(override.times) if _given(override.times) else None


def database_schedule(row: Job) -> tuple[Schedule | None, tuple[str, ...]]:
    """Give the schedule a person set, or None; nonsense in the row is named and passed over."""
    try:
        if row.override_interval is not None:
            return Interval(row.override_interval), ()
        if row.override_times is not None:
            return schedules.parse_times(row.override_times), ()
    except ScheduleError as error:
        return None, (str(error),)
    return None, ()


def times_column(schedule: DailyTimes) -> list[str]:
    """Give the times as the column ``override_times`` holds them."""
    return [moment.strftime("%H:%M:%S") for moment in schedule.times]


def _given(value: Any) -> bool:
    return value is not None and not isinstance(value, Unset)


def _schedule(code: Schedule, settings: Schedule | None, database: Schedule | None) -> Sourced[Schedule]:
    if database is not None:
        return Sourced(database, Source.DATABASE)
    if settings is not None:
        return Sourced(settings, Source.SETTINGS)
    return Sourced(code, Source.CODE)


def _switch(value: bool, default: bool, override: bool | Unset, base: Source) -> Sourced[bool]:
    if value != default:
        return Sourced(value, Source.DATABASE)
    return Sourced(value, base if isinstance(override, Unset) else Source.SETTINGS)


def _timeout(definition: JobDefinition, settings: Settings, override: SettingsOverride) -> Sourced[timedelta | None]:
    if definition.internal:
        return Sourced(None, Source.DEFAULT)
    if not isinstance(override.timeout, Unset):
        return Sourced(override.timeout, Source.SETTINGS)
    if not isinstance(definition.timeout, Unset):
        return Sourced(definition.timeout, Source.CODE)
    return Sourced(settings.timeout, Source.DEFAULT)


def args_of(definition: JobDefinition, override: SettingsOverride) -> Sourced[tuple[str, ...]]:
    """Return the words that the command is given in each run that the schedule starts."""
    if isinstance(override.args, Unset):
        return Sourced(definition.args, Source.CODE)
    return Sourced(override.args, Source.SETTINGS)


def queue_of(definition: JobDefinition, settings: Settings, row: Job) -> Sourced[str]:
    """Say to which queue the runs of this job are handed over; to none without an engine."""
    override = settings.overrides.get(definition.name, SettingsOverride()).queue
    if definition.internal or settings.tasks_backend is None:
        return Sourced("", Source.DEFAULT)
    if row.override_queue is not None:
        return Sourced(row.override_queue, Source.DATABASE)
    if not isinstance(override, Unset):
        return Sourced(override or "", Source.SETTINGS)
    return Sourced(definition.queue, Source.CODE if definition.queue else Source.DEFAULT)
