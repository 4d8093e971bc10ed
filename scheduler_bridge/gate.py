"""The gate that each firing passes: the hold, the job as it is now, its switch."""

from dataclasses import dataclass, replace
from datetime import datetime

from . import conf, registry
from .history import Firing
from .models import Cause, Job, Run, Runner
from .plan import JobPlan
from .triggers import next_fire


class Held(Exception):
    """The runner is on hold: the firing goes back where it waited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A firing that passed the gate, with what holds for its job at this moment."""

    firing: Firing
    plan: JobPlan
    next_run_at: datetime | None
    forced: bool
    barred: str  # why it must be skipped; empty when it may run


def admit(firing: Firing, now: datetime) -> Admitted | None:
    """Look whether this firing may run now; None when its job is no more.

    Raises:
        Held: the runner is on hold.
    """
    using = conf.load().database
    if Runner.objects.using(using).filter(pk=Runner.ROW, held=True).exists():
        raise Held
    row = Job.objects.using(using).filter(pk=firing.job_id).first()
    if row is None:
        return None
    forced = firing.run_id is not None and Run.objects.using(using).filter(pk=firing.run_id, forced=True).exists()
    plan = registry.plan_of(row)
    return Admitted(
        firing=_counted(row, plan, firing),
        plan=plan,
        forced=forced,
        next_run_at=_next(row, plan, firing, now),
        barred=_bar(row, plan, forced),
    )


def _bar(row: Job, plan: JobPlan, forced: bool) -> str:
    if row.removed_at is not None:
        return "the job was removed"
    return "the job is disabled" if not plan.enabled.value and not forced else ""


def _next(row: Job, plan: JobPlan, firing: Firing, now: datetime) -> datetime | None:
    trigger = registry.trigger_of(plan, row, max(now, firing.fire_time)) if plan.enabled.value else None
    return next_fire(trigger, max(row.owed_since, firing.fire_time)) if trigger else None


def _counted(row: Job, plan: JobPlan, firing: Firing) -> Firing:
    """Leave out of the count what another run covers already, such as one skipped as a hold ended.

    A trigger with a random part cannot be asked again, so its firing keeps the count it came with.
    """
    if firing.cause != Cause.SCHEDULE or not firing.coalesced:
        return firing
    due = registry.due(row, registry.trigger_of(plan, row, firing.fire_time), firing.fire_time)
    if due is None or due.latest != firing.fire_time:
        return firing
    return replace(firing, coalesced=min(firing.coalesced, due.coalesced))
