"""Makes the Job rows match the definitions; what matches already costs one look."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from .. import conf, discovery, ledger
from ..conf import Settings, SettingsOverride
from ..definition import JobDefinition, unreadable
from ..discovery import Discovery
from ..models import Job, Runner
from ..plan import args_of, base_enabled, base_notify, make_plan
from . import snapshot
from .effective import settle, time_or_break
from .snapshot import Row

# All columns that the code and the settings have a say in.
FOLLOWED = (
    "name",
    "app",
    "command",
    "description",
    "broken",
    "removed_at",
    "enabled",
    "enabled_default",
    "notify_on_success",
    "notify_default",
    "override_interval",
    "override_times",
    "schedule_key",
    "trigger_error",
    "set_aside",
)


class Matched:
    """What matched last in this process: these rows, this code, these settings."""

    def __init__(self) -> None:
        self._found: Discovery | None = None
        self._settings: Settings | None = None
        self._rows: Mapping[int, Row] = {}

    def still(self, found: Discovery, settings: Settings) -> bool:
        """Tell whether all three are as they were, so that there is nothing to do."""
        return self._found is found and self._settings is settings and self._rows == _rows(settings.database)

    def remember(self, found: Discovery, settings: Settings, rows: Mapping[int, Row]) -> None:
        """Take note of what matches now."""
        self._found, self._settings, self._rows = found, settings, rows

    def forget(self) -> None:
        """Compare every row with the code at the next look."""
        self._found = None


MATCHED = Matched()


def sync(now: datetime) -> list[str]:
    """Make the rows follow the code and the settings; give one line for each job that changed."""
    settings, found = conf.load(), discovery.discover()
    using = settings.database
    Runner.objects.using(using).get_or_create(pk=Runner.ROW)
    if MATCHED.still(found, settings):
        return []
    for definition in found.definitions.values():
        _unreadable(definition, settings)  # asks foreign code once: not inside a transaction for which others wait
    with transaction.atomic(using=using):
        lines = _follow_all(found, settings, now)
        rows = _rows(using)
    MATCHED.remember(found, settings, rows)
    return lines


def _rows(using: str) -> dict[int, Row]:
    return snapshot.read(Job.objects.using(using), FOLLOWED)


def _follow_all(found: Discovery, settings: Settings, now: datetime) -> list[str]:
    using = settings.database
    lines = _create(found, settings, now)
    rows = {row.name: row for row in Job.objects.using(using).select_for_update()}
    for definition in found.definitions.values():
        lines += _follow(definition, rows.pop(definition.name), settings, now)
    for row in rows.values():
        lines += _broken(row, found.broken[row.name].error, using) if row.name in found.broken else []
        lines += _removed(row, using, now) if row.name not in found.broken else []
    return lines


def _create(found: Discovery, settings: Settings, now: datetime) -> list[str]:
    """Create the rows that are missing, all at once: a test suite has this done after each flush."""
    using = settings.database
    known = _known(using)
    missing = (definition for definition in found.definitions.values() if definition.name not in known)
    rows = [_new(definition, settings, now) for definition in missing]
    if rows:
        ledger.register({row.name: row.next_run_at for row in rows}, using)
        # In bulk: no signal, which would time the job by another clock, and no conflict with another deployment.
        Job.objects.using(using).bulk_create(rows, ignore_conflicts=True)
    return [line for row in rows for line in _created(row)]


def _created(row: Job) -> Iterator[str]:
    yield f"created job {row.name}"
    if why := row.broken or row.trigger_error:
        yield f"broken job {row.name}: {why}"


def _known(using: str) -> set[str]:
    return set(Job.objects.using(using).values_list("name", flat=True))


def _new(definition: JobDefinition, settings: Settings, now: datetime) -> Job:
    override = settings.overrides.get(definition.name, SettingsOverride())
    enabled, notify = base_enabled(override), base_notify(definition, override)
    row = Job(
        name=definition.name,
        app=definition.app,
        command=definition.command,
        description=definition.description,
        enabled=enabled,
        enabled_default=enabled,
        notify_on_success=notify,
        notify_default=notify,
        created_at=now,
    )
    row.broken = why_broken(definition, settings, row)
    time_or_break(row, make_plan(definition, settings, row), now)
    return row


def _follow(definition: JobDefinition, row: Job, settings: Settings, now: datetime) -> Iterator[str]:
    override = settings.overrides.get(definition.name, SettingsOverride())
    enabled, notify = base_enabled(override), base_notify(definition, override)
    verb = "updated" if row.removed_at is None else "brought back"
    wanted = {**_wanted(definition, row, enabled, notify), "broken": why_broken(definition, settings, row)}
    changed, told = _assign(row, wanted, settings.database), row.trigger_error
    if "broken" in changed:
        changed.remove("broken")
        yield f"broken job {row.name}: {row.broken}" if row.broken else f"mended job {row.name}"
    if settle(row, make_plan(definition, settings, row), now, retry=True):
        changed += ["schedule"] if row.trigger_error == told else []
    yield from _told(row, told)
    if verb != "updated" or changed:
        yield f"{verb} job {row.name}" + (f": {', '.join(changed)}" if verb == "updated" else "")


def _told(row: Job, before: str) -> Iterator[str]:
    if row.trigger_error and not before:
        yield f"broken job {row.name}: {row.trigger_error}"
    elif before and not row.trigger_error:
        yield f"mended job {row.name}: its trigger answers again"


def why_broken(definition: JobDefinition, settings: Settings, row: Job) -> str:
    """Return why a job whose command can be loaded is broken all the same; empty when it is not.

    That its trigger broke is said as soon as it was reported: whoever reports it writes that first.
    """
    return _unreadable(definition, settings) or (row.trigger_error if row.broken == row.trigger_error else "")


def _unreadable(definition: JobDefinition, settings: Settings) -> str:
    override = settings.overrides.get(definition.name, SettingsOverride())
    return unreadable(definition, args_of(definition, override).value)


def _wanted(definition: JobDefinition, row: Job, enabled: bool, notify: bool) -> dict[str, Any]:
    """Give the columns as the code wants them; a switch that a person turned stays as it is."""
    return {
        "app": definition.app,
        "command": definition.command,
        "description": definition.description,
        "removed_at": None,
        "enabled": enabled if row.enabled == row.enabled_default else row.enabled,
        "enabled_default": enabled,
        "notify_on_success": notify if row.notify_on_success == row.notify_default else row.notify_on_success,
        "notify_default": notify,
        # What a job missed while it did not exist is not owed.
        "schedule_key": "" if row.removed_at else row.schedule_key,
    }


def _broken(row: Job, error: str, using: str) -> Iterator[str]:
    """Mark a job whose command cannot be loaded: half a deployment is no reason to remove it."""
    if _assign(row, {"broken": error}, using):
        yield f"broken job {row.name}: {error.strip().splitlines()[-1] if error.strip() else ''}"


def _removed(row: Job, using: str, now: datetime) -> Iterator[str]:
    if row.removed_at is None:
        _assign(row, {"removed_at": now, "next_run_at": None}, using)
        ledger.plan_next(row.name, None, using)
        yield f"removed job {row.name}"


def _assign(row: Job, values: Mapping[str, Any], using: str) -> list[str]:
    """Write the columns that differ, and name them."""
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    if changed:
        Job.objects.using(using).filter(pk=row.pk).update(**changed)
    return list(changed)
