"""The gate that each firing passes: the hold, the job as it is now, its switch."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from . import conf, registry, sql
from .exceptions import TriggerError
from .history import Firing
from .models import Cause, Job, Run, Runner
from .plan import JobPlan


class Held(Exception):
    """The runner is on hold: the firing goes back where it waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A firing that passed the gate, with what holds for its job at this moment."""

    firing: Firing
    plan: JobPlan
    next_run_at: datetime | None
    forced: bool
    failing: bool  # its last run failed
    barred: str  # why it must be skipped; empty when it may run


def admit(firing: Firing, now: datetime) -> Admitted | None:
    """Look whether this firing may run now; None when its job is no more.

    Raises:
        Held: the runner is on hold.
    """
    row, held, forced = _look(firing, conf.load().database)
    if held:
        raise Held
    if row is None:
        return None
    plan = registry.plan_of(row)
    return Admitted(
        firing=replace(_counted(row, plan, firing), schedule_key=row.schedule_key),
        plan=plan,
        forced=forced,
        next_run_at=_next(row, plan, firing, now),
        failing=row.failing_since is not None,
        barred=_bar(row, plan, forced) or _left_out(row, firing),
    )


def _look(firing: Firing, using: str) -> tuple[Job | None, bool, bool]:
    """Read the job, whether the runner is on hold, and whether the queued run is forced, all at one moment."""
    found = sql.fetch(using, _statement(using), [Runner.ROW, firing.run_id, firing.job_id])
    if found is None:
        return None, False, False
    return sql.reader(Job, using).read(found[2:]), bool(found[0]), bool(found[1])


@cache
def _statement(using: str) -> str:
    job, run, runner = (sql.table(model, using) for model in (Job, Run, Runner))
    held = f"SELECT {runner['held']} FROM {runner} WHERE {runner['id']} = %s"
    forced = f"SELECT {run['forced']} FROM {run} WHERE {run['id']} = %s"
    columns = job.names(sql.reader(Job, using).names)
    return f"SELECT ({held}), ({forced}), {columns} FROM {job} WHERE {job['id']} = %s"


def _bar(row: Job, plan: JobPlan, forced: bool) -> str:
    if row.removed_at is not None:
        return "the job was removed"
    return "the job is disabled" if not plan.enabled.value and not forced else ""


def _left_out(row: Job, firing: Firing) -> str:
    """Say who wants this one fire time left out; empty when nobody does."""
    if firing.cause != Cause.SCHEDULE or row.skip_next_at != firing.fire_time:
        return ""
    return f"left out, as {row.skip_next_by} asked" if row.skip_next_by else "left out, as asked"


def _next(row: Job, plan: JobPlan, firing: Firing, now: datetime) -> datetime | None:
    trigger = registry.trigger_of(plan, row, max(now, firing.fire_time)) if plan.enabled.value else None
    return registry.following(trigger, max(row.owed_since, firing.fire_time))


def _counted(row: Job, plan: JobPlan, firing: Firing) -> Firing:
    """Leave out of the count what another run covers already, such as one skipped as a hold ended.

    A trigger with a random part, or one that broke, cannot be asked again, so its firing keeps the count it came with.
    """
    if row.trigger_error or firing.cause != Cause.SCHEDULE or not firing.coalesced:
        return firing
    try:
        due = registry.owed(row, registry.trigger_of(plan, row, firing.fire_time), firing.fire_time)
    except TriggerError:
        return firing
    if due is None or due.latest != firing.fire_time:
        return firing
    return replace(firing, coalesced=min(firing.coalesced, due.coalesced))
