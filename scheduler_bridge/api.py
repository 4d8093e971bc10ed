"""What programs may ask of the scheduler; nothing here runs a job, the runner does."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from django.db import transaction

from . import changes, conf, history, registry
from .exceptions import JobDisabled, UnknownJob
from .history import Firing
from .models import Cause, Job, Run, Runner

__all__ = ["announce_change", "hold", "resume", "run_now"]


def run_now(name: str, *, delay: timedelta | None = None, force: bool = False, requested_by: str | None = None) -> Run:
    """Queue a run of this job for the runner and give its row.

    Args:
        name: the job's name, "app.command".
        delay: how long it waits before it may start; None means not at all.
        force: run it even if it is disabled, and without asking its ``should_run``.
        requested_by: who asks, for the history.

    Raises:
        UnknownJob: no job has this name, or its command was removed.
        JobDisabled: the job is disabled and ``force`` is not given.
    """
    using = conf.load().database
    job = Job.objects.using(using).filter(name=name, removed_at=None).first()
    if job is None:
        raise UnknownJob(f"expected the name of a job, got: {name!r}")
    if not job.enabled and not force:
        raise JobDisabled(f"{name} is disabled; enable it or force the run")
    run = history.enqueue(job, _now(), requested_by=requested_by or "", delay=delay or timedelta(0), forced=force)
    changes.announce()
    return run


def hold(reason: str = "", *, by: str = "") -> None:
    """Let the runner start nothing more until `resume`; what runs goes on."""
    rows = Runner.objects.using(conf.load().database)
    rows.get_or_create(pk=Runner.ROW)
    rows.filter(pk=Runner.ROW).update(held=True, held_reason=history.one_line(reason), held_by=by[:150], held_at=_now())
    changes.announce()


def resume(pending: Literal["run", "skip"] = "run") -> None:
    """End a hold: what became due meanwhile runs, once a job, or is recorded as skipped.

    Raises:
        ValueError: ``pending`` is neither "run" nor "skip".
    """
    if pending not in {"run", "skip"}:
        raise ValueError(f'expected pending to be "run" or "skip", got: {pending!r}')
    using = conf.load().database
    with transaction.atomic(using=using):
        if pending == "skip":
            _skip_pending(_now())
        Runner.objects.using(using).filter(pk=Runner.ROW).update(held=False, held_reason="", held_by="", held_at=None)
    changes.announce()


def announce_change() -> None:
    """Tell a running runner to look again, after a change that no signal of Django's told of."""
    changes.announce()


def _skip_pending(now: datetime) -> None:
    for item in registry.load(now):
        if item.due is not None:
            firing = Firing(
                job_id=item.job_id,
                name=item.name,
                cause=Cause.SCHEDULE,
                fire_time=item.due.latest,
                coalesced=item.due.coalesced,
            )
            history.skip_covered(firing, "skipped when the hold ended", now, item.next_run_at)
    for run in history.queued():
        firing = Firing(
            job_id=run.job_id, name=run.name, cause=run.cause, fire_time=run.scheduled_for, run_id=run.run_id
        )
        history.skip_covered(firing, "skipped when the hold ended", now, None)


def _now() -> datetime:
    return datetime.now(UTC)
