"""Makes the Job rows match the definitions, and reads them back as what the runner schedules."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apscheduler.triggers.base import BaseTrigger
from django.db import transaction

from . import conf, ledger, schedules
from .conf import UNSET, Settings, SettingsOverride
from .definition import JobDefinition
from .discovery import Discovery, discover
from .models import Job, Runner
from .plan import JobPlan, base_enabled, base_notify, make_plan
from .triggers import Overdue, next_fire, overdue, to_trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One job as the runner schedules it."""

    job_id: int
    name: str
    key: str  # changes when the job must be timed anew
    trigger: BaseTrigger | None
    next_run_at: datetime | None
    due: Overdue | None  # what is owed a run already


def sync(now: datetime) -> list[str]:
    """Make the rows follow the code and the settings; give one line for each job that changed."""
    settings, found = conf.load(), discover()
    using, lines = settings.database, list[str]()
    with transaction.atomic(using=using):
        Runner.objects.using(using).get_or_create(pk=Runner.ROW)
        lines += _create(found, settings, now)
        rows = {row.name: row for row in Job.objects.using(using).select_for_update()}
        for definition in found.definitions.values():
            lines += _follow(definition, rows.pop(definition.name), settings, now)
        for row in rows.values():
            lines += _broken(row, found.broken[row.name].error, using) if row.name in found.broken else []
            lines += _removed(row, using, now) if row.name not in found.broken else []
    return lines


def definition_of(row: Job, found: Discovery) -> JobDefinition:
    """Give the definition of this job; where its code cannot be loaded, what is remembered of it."""
    known = found.definitions.get(row.name)
    if known is not None:
        return known
    return JobDefinition(
        app=row.app,
        command=row.command,
        description=row.description,
        schedule=schedules.from_fingerprint(row.schedule_key),
        internal=False,
        timeout=UNSET,
        next_jobs=(),
        next_on_failure=False,
        notify_on_success=False,
        args=(),
        should_run=None,
        module="",
    )


def plan_of(row: Job) -> JobPlan:
    """Give what holds for this job now."""
    return make_plan(definition_of(row, discover()), conf.load(), row)


def trigger_of(plan: JobPlan, row: Job, now: datetime) -> BaseTrigger | None:
    """Give the trigger of this job, None when it has no schedule.

    The grid of an interval hangs on the last fire time; where a clock that was set back has put that into the
    future, it begins anew.
    """
    anchor = min(row.last_fire_at or row.created_at, now)
    return to_trigger(plan.schedule.value, plan.zone, anchor=anchor)


def settle(row: Job, plan: JobPlan, now: datetime) -> bool:
    """Let another schedule, or being enabled, count from now on; True when this row was changed here.

    A fire time that was due before the change stays owed, so ``next_run_at`` keeps it.
    """
    if row.schedule_key == plan.schedule_key:
        return False
    before, using = row.schedule_key, conf.load().database
    _time(row, plan, now)
    changed = Job.objects.using(using).filter(pk=row.pk, schedule_key=before)
    if not changed.update(schedule_key=row.schedule_key, owed_since=now, next_run_at=row.next_run_at):
        row.refresh_from_db(using=using)
        return False
    ledger.plan_next(row.name, row.next_run_at, using)
    return True


def _time(row: Job, plan: JobPlan, now: datetime) -> None:
    trigger = trigger_of(plan, row, now) if plan.enabled.value else None
    row.schedule_key, row.owed_since = plan.schedule_key, now
    if row.next_run_at is None or row.next_run_at > now:
        row.next_run_at = next_fire(trigger, now) if trigger else None


def load(now: datetime) -> tuple[Planned, ...]:
    """Read every job that is scheduled, or was and is owed a run."""
    using = conf.load().database
    rows = list(Job.objects.using(using).filter(removed_at=None).defer("description", "broken"))
    planned = (_planned(row, now) for row in rows)
    return tuple(item for item in planned if item.trigger or item.due)


def _planned(row: Job, now: datetime) -> Planned:
    plan = plan_of(row)
    settle(row, plan, now)
    _follow_clock(row, plan, now)
    trigger = trigger_of(plan, row, now) if plan.enabled.value else None
    return Planned(
        job_id=row.pk,
        name=row.name,
        key=row.schedule_key,
        trigger=trigger,
        next_run_at=next_fire(trigger, max(row.owed_since, now)) if trigger else None,
        due=due(row, trigger, now),
    )


def due(row: Job, trigger: BaseTrigger | None, now: datetime) -> Overdue | None:
    """Give what this job owes a run at this moment; None when nothing."""
    found = overdue(trigger, row.owed_since, now) if trigger else None
    if row.next_run_at is None or row.next_run_at > min(row.owed_since, now):
        return found
    # Due under a schedule that was changed since: nobody has run it yet.
    if found is None:
        return Overdue(latest=row.next_run_at, coalesced=0)
    return Overdue(latest=found.latest, coalesced=found.coalesced + 1)


def _follow_clock(row: Job, plan: JobPlan, now: datetime) -> None:
    """Begin the grid of an interval anew when the clock was set back behind its last fire time."""
    is_interval = isinstance(plan.schedule.value, schedules.Interval)
    if not is_interval or row.last_fire_at is None or row.last_fire_at <= now:
        return
    row.last_fire_at = row.owed_since = now
    using = conf.load().database
    Job.objects.using(using).filter(pk=row.pk).update(last_fire_at=now, owed_since=now)


def _create(found: Discovery, settings: Settings, now: datetime) -> list[str]:
    """Create the rows that are missing, all at once: a test suite has this done after each flush."""
    using = settings.database
    known = set(Job.objects.using(using).values_list("name", flat=True))
    missing = [definition for definition in found.definitions.values() if definition.name not in known]
    if missing:
        rows = [_new(definition, settings, now) for definition in missing]
        ledger.register({row.name: row.next_run_at for row in rows}, using)
        # In bulk: no signal, which would time the job by another clock, and no conflict with another deployment.
        Job.objects.using(using).bulk_create(rows, ignore_conflicts=True)
    return [f"created job {definition.name}" for definition in missing]


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
    _time(row, make_plan(definition, settings, row), now)
    return row


def _follow(definition: JobDefinition, row: Job, settings: Settings, now: datetime) -> Iterator[str]:
    override = settings.overrides.get(definition.name, SettingsOverride())
    enabled, notify = base_enabled(override), base_notify(definition, override)
    verb = "updated" if row.removed_at is None else "brought back"
    changed = _assign(row, _wanted(definition, row, enabled, notify), settings.database)
    if settle(row, make_plan(definition, settings, row), now):
        changed.append("schedule")
    if verb != "updated" or changed:
        yield f"{verb} job {row.name}" + (f": {', '.join(changed)}" if verb == "updated" else "")


def _wanted(definition: JobDefinition, row: Job, enabled: bool, notify: bool) -> dict[str, Any]:
    """Give the columns as the code wants them; a switch that a person turned stays as it is."""
    return {
        "app": definition.app,
        "command": definition.command,
        "description": definition.description,
        "broken": "",
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
