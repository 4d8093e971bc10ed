"""What holds for one row: its definition, its plan, its trigger; and timing it anew when that changed."""

from copy import copy
from datetime import datetime
from typing import Final

from apscheduler.triggers.base import BaseTrigger

from .. import conf, discovery, schedules
from .. import plan as plans
from ..conf import UNSET
from ..definition import JobDefinition
from ..discovery import Discovery
from ..exceptions import TriggerError
from ..models import Job
from ..plan import JobPlan, make_plan
from ..schedules import Schedule
from ..triggers import Overdue, fingerprint, next_fire, overdue, to_trigger
from . import breaking

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
    """Give the trigger of this job, None when it has no schedule, or one that is known to be broken.

    The grid of an interval hangs on the last fire time; where a clock that was set back has put that into the
    future, it begins anew.
    """
    return None if breaking.is_known(row, plan) else _trigger(plan, row, now)


def following(trigger: BaseTrigger | None, after: datetime) -> datetime | None:
    """Return the first fire time later than this moment; None too where the trigger cannot be asked."""
    try:
        return next_fire(trigger, after) if trigger else None
    except TriggerError:
        return None


def _trigger(plan: JobPlan, row: Job, now: datetime) -> BaseTrigger | None:
    return to_trigger(plan.schedule.value, plan.zone, anchor=min(_last_fire(row), now))


def _last_fire(row: Job) -> datetime:
    """Give the last fire time that a run covers, or is still to cover since its schedule was changed meanwhile."""
    is_due_from_before = row.next_run_at is not None and row.next_run_at <= row.owed_since
    found: datetime = row.next_run_at if is_due_from_before else row.last_fire_at or row.created_at
    return found


def settle(row: Job, plan: JobPlan, now: datetime, *, retry: bool = False) -> bool:
    """Let another schedule, or being enabled, count from now on; True when this row was changed here.

    What was due before the change stays owed: ``next_run_at`` keeps the latest of it, ``owed_before`` how much it is.
    So it is with a trigger that broke, until it answers again.

    Args:
        retry: whether a trigger that broke is asked again, if it was not set aside.
    """
    before = row.schedule_key, row.trigger_error
    while before == (row.schedule_key, row.trigger_error) and _is_to_be_timed(row, plan, retry):
        was, told, set_aside = (row.schedule_key, row.last_fire_at), row.trigger_error, row.set_aside
        time_or_break(row, plan, now)
        if (row.schedule_key, row.trigger_error, row.set_aside) == (was[0], told, set_aside):
            return False
        if breaking.write(row, was, told):
            return True
        row.refresh_from_db(using=conf.load().database)
    return False


def _is_to_be_timed(row: Job, plan: JobPlan, retry: bool) -> bool:
    is_another = row.schedule_key != plan.schedule_key
    return is_another or (retry and bool(row.trigger_error) and breaking.may_be_asked(row, plan))


def note_broken(row: Job, plan: JobPlan, error: TriggerError, now: datetime) -> None:
    """Record that the trigger of this plan broke."""
    was, told = (row.schedule_key, row.last_fire_at), row.trigger_error
    while was[0] == row.schedule_key:
        breaking.break_off(row, plan, error, now)
        if breaking.write(row, was, told):
            return
        row.refresh_from_db(using=conf.load().database)
        was, told = (was[0], row.last_fire_at), row.trigger_error


def as_saved(row: Job, plan: JobPlan, now: datetime) -> Job:
    """Give the row as it would be timed if it were saved now; another one where its schedule is not in force yet."""
    if row.schedule_key != plan.schedule_key:
        row = copy(row)
        time_or_break(row, plan, now)
    return row


def time_or_break(row: Job, plan: JobPlan, now: datetime) -> None:
    """Set the times of a row whose schedule counts from now on, or that its trigger broke, without writing them."""
    try:
        time_anew(row, plan, now)
    except TriggerError as error:
        if not breaking.is_known(row, plan) or breaking.text(error) != row.trigger_error or error.stalled:
            breaking.break_off(row, plan, error, now)


def time_anew(row: Job, plan: JobPlan, now: datetime) -> None:
    """Set the times of a row whose schedule counts from now on, without writing them.

    Raises:
        TriggerError: its trigger cannot be asked; nothing is set.
    """
    trigger = _trigger(plan, row, now) if plan.enabled.value else None
    next_run_at = next_fire(trigger, now) if trigger else None
    if row.next_run_at is not None and row.next_run_at <= now:
        row.next_run_at, row.owed_before = _owed(row, plan, row.next_run_at, now)
    else:
        row.next_run_at, row.owed_before = next_run_at, 0
    row.schedule_key, row.owed_since = plan.schedule_key, now
    row.trigger_error = row.set_aside = ""


def release(row: Job) -> None:
    """Let the trigger of a row be asked again though it was set aside, since a person has dealt with the job."""
    if row.set_aside:
        row.set_aside = ""
        Job.objects.using(conf.load().database).filter(pk=row.pk).update(set_aside="")


def release_all() -> None:
    """Let each trigger that was set aside be asked again."""
    Job.objects.using(conf.load().database).exclude(set_aside="").update(set_aside="")


def _owed(row: Job, plan: JobPlan, first: datetime, now: datetime) -> tuple[datetime, int]:
    """Give the latest fire time that is owed under the schedule that held until now, and how many there are.

    A trigger object that neither code nor settings hold any more cannot be asked: it owes the one that is known.
    """
    owed = max(1, row.owed_before) if first <= row.owed_since else 0
    found = None if row.trigger_error else _overdue_before(row, plan, now)
    if found is None:
        return first, max(1, owed)
    return found.latest, owed + found.coalesced + 1


def _overdue_before(row: Job, plan: JobPlan, now: datetime) -> Overdue | None:
    trigger = to_trigger(_former(row, plan), plan.zone, anchor=min(_last_fire(row), now))
    try:
        return overdue(trigger, row.owed_since, now) if trigger else None
    except TriggerError:
        return None


def _former(row: Job, plan: JobPlan) -> Schedule:
    said = (schedule for schedule in (plan.settings_schedule, plan.code_schedule) if schedule is not None)
    same = (schedule for schedule in said if fingerprint(schedule, plan.zone) == row.schedule_key)
    return next(same, schedules.from_fingerprint(row.schedule_key))
