"""What holds for one row: its definition, its plan, its trigger; and timing it anew when that changed."""

from copy import copy
from datetime import datetime
from typing import Final

from apscheduler.triggers.base import BaseTrigger

from .. import conf, discovery, ledger, schedules
from .. import plan as plans
from ..conf import UNSET
from ..definition import JobDefinition
from ..discovery import Discovery
from ..models import Job
from ..plan import JobPlan, make_plan
from ..schedules import Schedule
from ..triggers import fingerprint, next_fire, overdue, to_trigger

# What `queue_of` reads of a row.
ROUTING: Final = ("name", "override_queue", "app", "command", "description", "schedule_key")


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
        queue="",
        should_run=None,
        module="",
    )


def plan_of(row: Job) -> JobPlan:
    """Give what holds for this job now."""
    return make_plan(definition_of(row, discovery.discover()), conf.load(), row)


def queue_of(row: Job) -> str:
    """Say to which queue the runs of this job are handed over; empty when the runner performs them.

    A row with these columns is enough for it; those of the code are asked only where the code cannot be loaded.
    """
    return plans.queue_of(definition_of(row, discovery.discover()), conf.load(), row).value


def trigger_of(plan: JobPlan, row: Job, now: datetime) -> BaseTrigger | None:
    """Give the trigger of this job, None when it has no schedule.

    The grid of an interval hangs on the last fire time; where a clock that was set back has put that into the
    future, it begins anew.
    """
    return to_trigger(plan.schedule.value, plan.zone, anchor=min(_last_fire(row), now))


def _last_fire(row: Job) -> datetime:
    """Give the last fire time that a run covers, or is still to cover since its schedule was changed meanwhile."""
    is_due_from_before = row.next_run_at is not None and row.next_run_at <= row.owed_since
    found: datetime = row.next_run_at if is_due_from_before else row.last_fire_at or row.created_at
    return found


def settle(row: Job, plan: JobPlan, now: datetime) -> bool:
    """Let another schedule, or being enabled, count from now on; True when this row was changed here.

    What was due before the change stays owed: ``next_run_at`` keeps the latest of it, ``owed_before`` how much it is.
    """
    before, using = row.schedule_key, conf.load().database
    while row.schedule_key == before != plan.schedule_key:
        # A row that was read before the runner covered a fire time would make that one due again.
        unchanged = Job.objects.using(using).filter(pk=row.pk, schedule_key=before, last_fire_at=row.last_fire_at)
        time_anew(row, plan, now)
        columns = ("schedule_key", "owed_since", "owed_before", "next_run_at")
        if unchanged.update(**{name: getattr(row, name) for name in columns}):
            ledger.plan_next(row.name, row.next_run_at, using)
            return True
        row.refresh_from_db(using=using)
    return False


def as_saved(row: Job, plan: JobPlan, now: datetime) -> Job:
    """Give the row as it would be timed if it were saved now; another one where its schedule is not in force yet."""
    if row.schedule_key != plan.schedule_key:
        row = copy(row)
        time_anew(row, plan, now)
    return row


def time_anew(row: Job, plan: JobPlan, now: datetime) -> None:
    """Set the times of a row whose schedule counts from now on, without writing them."""
    if row.next_run_at is not None and row.next_run_at <= now:
        row.next_run_at, row.owed_before = _owed(row, plan, row.next_run_at, now)
    else:
        trigger = trigger_of(plan, row, now) if plan.enabled.value else None
        row.next_run_at, row.owed_before = next_fire(trigger, now) if trigger else None, 0
    row.schedule_key, row.owed_since = plan.schedule_key, now


def _owed(row: Job, plan: JobPlan, first: datetime, now: datetime) -> tuple[datetime, int]:
    """Give the latest fire time that is owed under the schedule that held until now, and how many there are.

    A trigger object that neither code nor settings hold any more cannot be asked: it owes the one that is known.
    """
    owed = max(1, row.owed_before) if first <= row.owed_since else 0
    trigger = to_trigger(_former(row, plan), plan.zone, anchor=min(_last_fire(row), now))
    found = overdue(trigger, row.owed_since, now) if trigger else None
    if found is None:
        return first, max(1, owed)
    return found.latest, owed + found.coalesced + 1


def _former(row: Job, plan: JobPlan) -> Schedule:
    said = (schedule for schedule in (plan.settings_schedule, plan.code_schedule) if schedule is not None)
    same = (schedule for schedule in said if fingerprint(schedule, plan.zone) == row.schedule_key)
    return next(same, schedules.from_fingerprint(row.schedule_key))
