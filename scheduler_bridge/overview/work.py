"""What the worker does, what waits for it, what is handed over, what comes next and what fails, in few statements."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Q, QuerySet

from .. import conf, engine, past, registry
from ..history import PRIORITY
from ..models import Cause, Job, Run, Status
from . import course, failing
from .course import Past
from .current import Running, open_runs, running
from .failing import Failing
from .queue import Course, Place, Waiting, following, line_up

CONSIDERED: Final = 20  # of what waits; the rest is only counted
NEXT: Final = 3  # jobs that are due next
SHOWN: Final = 20  # jobs that fail; the rest is only counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """A job that is not due yet."""

    job_id: int
    name: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The worker and what concerns it, and what concerns the engine's workers, at one moment."""

    running: tuple[Running, ...]  # by the runner's own worker
    line: tuple[Place, ...]
    waiting: int  # how many wait, in the line or behind it
    away: tuple[Running, ...]  # by workers of the engine, the oldest first
    go_on_away: int  # how many those are, not shown ones among them
    outward: tuple[Waiting, ...]  # what is to be handed over
    next: tuple[Next, ...]
    failing: tuple[Failing, ...]
    fail: int  # how many fail, those among them


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """What is read first, to know of which jobs the past is wanted."""

    open: list[Run]
    scheduled: list[Job]  # by their next fire time, no more than are shown
    waiting: list[Waiting]  # the first of them, in the order of the worker
    count: int
    away: list[Run]  # the first of those that go on elsewhere
    go_on_away: int
    outward: list[Waiting]
    failing: list[failing.Row]

    def running(self) -> dict[str, int]:
        """Give the jobs that the worker runs: one, but for what a dead runner left."""
        return {run.job.name: run.job_id for run in self.open if run.status == Status.RUNNING}


def work(now: datetime, begins_at: datetime | None = None, *, has_runner: bool = True) -> Work:
    """Read what concerns the worker, in three statements, and up to four more where something waits or fails.

    Args:
        begins_at: when what waits may start, where a hold keeps it; None: as soon as the worker is free.
        has_runner: whether what is said to run does; without a runner it keeps nothing from starting.
    """
    rows = _read(now)
    known, runs = _past_of(rows)
    current = running(rows.open, runs)
    line = _line(rows, current if has_runner else (), known, now, max(now, begins_at or now))
    return Work(
        running=current,
        line=line,
        waiting=rows.count,
        away=running(rows.away, runs),
        go_on_away=rows.go_on_away,
        outward=tuple(rows.outward),
        next=tuple(_next(rows.scheduled, now))[:NEXT],
        failing=failing.failing(rows.failing[:SHOWN], runs),
        fail=len(rows.failing),
    )


def _read(now: datetime) -> _Rows:
    open_ = open_runs()
    away = [run for run in open_ if run.status == Status.RUNNING and run.queue]
    runs = [run for run in open_ if run.status != Status.RUNNING or not run.queue]
    scheduled = list(_scheduled().filter(_may_wait(now)).order_by("next_run_at", "name")[: CONSIDERED + NEXT])
    due = [row for row in scheduled if row.next_run_at is not None and row.next_run_at <= now]
    found = [*_queued(runs), *_due(due, now)]
    waiting = [item for item in found if not item.queue]
    # Where all that was read is due, there may be more.
    all_due = _scheduled().filter(next_run_at__lte=now, handed_run_id=None)
    more = all_due.count() - len(due) if len(due) == CONSIDERED + NEXT else 0
    waiting.sort(key=lambda item: (item.due_at > now, PRIORITY[item.cause], item.due_at, item.run_id or 0))
    return _Rows(
        open=runs,
        scheduled=scheduled,
        waiting=waiting[:CONSIDERED],
        count=len(waiting) + more,
        away=sorted(away, key=lambda run: (run.started_at or run.scheduled_for, run.pk))[:SHOWN],
        go_on_away=len(away),
        outward=[item for item in found if item.queue][:CONSIDERED],
        failing=failing.rows(),
    )


def _past_of(rows: _Rows) -> tuple[Course, Past]:
    wanted = {**{item.name: item.job_id for item in rows.waiting}, **rows.running()}
    chains = course.chains_of(wanted)
    ids = {**course.following_ids(chains), **wanted}
    others = {*(row[0] for row in rows.failing[:SHOWN]), *(run.job_id for run in rows.away)}
    runs = past.recent(list({*ids.values(), *others}))
    return course.course(ids, chains, runs), runs


def _line(
    rows: _Rows, current: tuple[Running, ...], known: Course, now: datetime, begins_at: datetime
) -> tuple[Place, ...]:
    busy = current[0].busy(now, following(current[0].name, known)) if current else None
    is_over = busy is not None and now < begins_at and busy.free_at <= begins_at
    return line_up(rows.waiting, begins_at, known, None if is_over else busy)


def _queued(runs: Iterable[Run]) -> Iterator[Waiting]:
    for run in runs:
        if run.status == Status.QUEUED:
            yield Waiting(
                job_id=run.job_id,
                name=run.job.name,
                cause=Cause(run.cause),
                due_at=run.scheduled_for,
                run_id=run.pk,
                requested_by=run.requested_by,
                queue=run.queue if engine.is_used() else "",
            )


def _due(rows: Iterable[Job], now: datetime) -> Iterator[Waiting]:
    """Give what is owed by schedule; a job that was disabled a moment ago owes nothing."""
    for row in rows:
        plan = registry.plan_of(row)
        trigger = registry.trigger_of(plan, row, now) if plan.enabled.value else None
        owed = registry.due(row, trigger, now)
        if owed is not None and row.next_run_at is not None:
            yield Waiting(
                job_id=row.pk,
                name=row.name,
                cause=Cause.SCHEDULE,
                due_at=row.next_run_at,
                coalesced=owed.coalesced,
                queue=plan.queue.value,
            )


def _next(rows: Iterable[Job], now: datetime) -> Iterator[Next]:
    for row in rows:
        if row.next_run_at is not None and row.next_run_at > now:
            yield Next(job_id=row.pk, name=row.name, due_at=row.next_run_at)


def _scheduled() -> QuerySet[Job]:
    rows = Job.objects.using(conf.load().database).filter(removed_at=None, next_run_at__isnull=False)
    return rows.defer("broken")


def _may_wait(now: datetime) -> Q:
    """Leave out what is due again while a run of it is handed over: it waits for the end of that."""
    return Q(handed_run_id=None) | Q(next_run_at__gt=now)
