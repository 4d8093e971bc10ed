"""What holds for one row: its definition, its plan, its trigger; and timing it anew when that changed."""

from datetime import datetime

from apscheduler.triggers.base import BaseTrigger

from .. import conf, discovery, ledger, schedules
from ..conf import UNSET
from ..definition import JobDefinition
from ..discovery import Discovery
from ..models import Job
from ..plan import JobPlan, make_plan
from ..triggers import next_fire, to_trigger


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
    return make_plan(definition_of(row, discovery.discover()), conf.load(), row)


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
    before, using = row.schedule_key, conf.load().database
    while row.schedule_key == before != plan.schedule_key:
        # A row that was read before the runner covered a fire time would make that one due again.
        unchanged = Job.objects.using(using).filter(pk=row.pk, schedule_key=before, last_fire_at=row.last_fire_at)
        time_anew(row, plan, now)
        if unchanged.update(schedule_key=row.schedule_key, owed_since=now, next_run_at=row.next_run_at):
            ledger.plan_next(row.name, row.next_run_at, using)
            return True
        row.refresh_from_db(using=using)
    return False


def time_anew(row: Job, plan: JobPlan, now: datetime) -> None:
    """Set the times of a row whose schedule counts from now on, without writing them."""
    trigger = trigger_of(plan, row, now) if plan.enabled.value else None
    row.schedule_key, row.owed_since = plan.schedule_key, now
    if row.next_run_at is None or row.next_run_at > now:
        row.next_run_at = next_fire(trigger, now) if trigger else None
