"""Reads what the simulation must know of every job: its plan, what is owed and in hand, what is usual for it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from apscheduler.triggers.base import BaseTrigger
from django.db.models import QuerySet

from .. import chain, conf, discovery, expiry, lease, past, registry
from ..models import OPEN_STATUSES, Cause, Job, Run, Status
from ..past import Usual
from ..plan import JobPlan
from .load import UNKNOWN, Load, Owed, Running, Stage, Waiting
from .simulation import simulate
from .start import Forecast

AS_IT_IS: Final[Mapping[int, Job]] = MappingProxyType({})
TYPED: Final = (*expiry.SWITCH, *expiry.OVERRIDE, "override_queue")  # what a person may change of a job
OPEN: Final = ("job_id", "status", "cause", "scheduled_for", "started_at", "forced", "queue")


def loads(now: datetime, *, typed: Mapping[int, Job] = AS_IT_IS) -> tuple[Load, ...]:
    """Read every job that is not removed, in a handful of statements for a thousand of them.

    Args:
        typed: the rows of some jobs, by their ids, as if what a person changed of them had just been saved.
    """
    return _read(now).loads(typed)


def ahead(now: datetime, until: datetime) -> Forecast:
    """Read everything and simulate it."""
    return simulate(loads(now), now, until)


def before_and_after(now: datetime, until: datetime, typed: Mapping[int, Job]) -> tuple[Forecast, Forecast]:
    """Simulate everything as it is, and as if these rows had just been saved; all is read once."""
    reading = _read(now)
    return simulate(reading.loads(AS_IT_IS), now, until), simulate(reading.loads(typed), now, until)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What one look gave."""

    now: datetime
    collecting: datetime  # since then a runner collects what falls due
    rows: Sequence[Job]
    ids: Mapping[str, int]
    open: Mapping[int, Sequence[Run]]
    usual: Mapping[int, Usual]

    def loads(self, typed: Mapping[int, Job]) -> tuple[Load, ...]:
        return tuple(self._load(_as_typed(row, typed.get(row.pk))) for row in self.rows)

    def _load(self, row: Job) -> Load:
        plan = registry.plan_of(row)
        row = registry.as_saved(row, plan, self.now)
        trigger = self._trigger(plan, row)
        usual = self.usual[row.pk]
        takes = UNKNOWN if usual.median is None else usual.median
        return Load(
            job_id=row.pk,
            name=row.name,
            stages=(Stage(trigger=trigger, since=max(self.now, row.owed_since)), *self._ends(row)),
            owed=self._owed(row, trigger) if plan.enabled.value else None,
            running=self._running(row, takes),
            queued=self._queued(row),
            usual=takes,
            is_known=usual.median is not None,
            skipped=usual.skipped,
            followers=self._followers(plan, usual),
            left_out=row.skip_next_at,
            enabled=plan.enabled.value,
            is_away=bool(plan.queue.value),
        )

    def _trigger(self, plan: JobPlan, row: Job) -> BaseTrigger | None:
        return registry.trigger_of(plan, row, self.now) if plan.enabled.value else None

    def _ends(self, row: Job) -> Iterator[Stage]:
        """Give the stages that begin where what a person changed for a while returns; now, where that is overdue."""
        row = copy(row)
        ends = ((row.disabled_until, expiry.SWITCH), (row.override_until, expiry.OVERRIDE))
        for end, values in sorted(((end, values) for end, values in ends if end is not None), key=itemgetter(0)):
            vars(row).update(values)
            yield Stage(trigger=self._trigger(registry.plan_of(row), row), since=max(self.now, end))

    def _owed(self, row: Job, trigger: BaseTrigger | None) -> Owed | None:
        """Give what is due already, and since when the runner has it wait.

        That is the first fire time, or the last that had passed when the runner began: it was handed those as one.
        """
        found = registry.due(row, trigger, self.now)
        if found is None:
            return None
        first = min(row.next_run_at or found.latest, found.latest)
        handed = registry.due(row, trigger, max(first, self.collecting))
        return Owed(since=handed.latest if handed else first, latest=found.latest, coalesced=found.coalesced)

    def _running(self, row: Job, takes: timedelta) -> Running | None:
        for run in self.open.get(row.pk, ()):
            if run.status == Status.RUNNING:
                started = run.started_at or run.scheduled_for
                return Running(started=started, ends=max(self.now, started + takes), is_away=bool(run.queue))
        return None

    def _queued(self, row: Job) -> tuple[Waiting, ...]:
        return tuple(
            Waiting(run_id=run.pk, cause=Cause(run.cause), due=run.scheduled_for, is_forced=run.forced)
            for run in self.open.get(row.pk, ())
            if run.status == Status.QUEUED
        )

    def _followers(self, plan: JobPlan, usual: Usual) -> tuple[int, ...]:
        """Give the jobs that follow its runs, as those mostly end."""
        fails = usual.success_rate is not None and usual.success_rate < 0.5
        names = chain.followers(plan, Status.FAILED if fails else Status.SUCCEEDED, discovery.discover().resolve)
        return tuple(self.ids[name] for name in names if name in self.ids)


def _read(now: datetime) -> _Reading:
    using = conf.load().database
    rows = list(Job.objects.using(using).filter(removed_at=None).defer("broken"))
    # At once, so that what starts meanwhile is not counted twice.
    open_ = _open(Run.objects.using(using))
    for row in rows:
        _follow(row, open_.get(row.pk, ()))
    runs = past.recent([row.pk for row in rows])
    return _Reading(
        now=now,
        collecting=_collecting(now),
        rows=rows,
        ids={row.name: row.pk for row in rows},
        open=open_,
        usual={row.pk: past.usual(runs.get(row.pk, ())) for row in rows},
    )


def _as_typed(row: Job, typed: Job | None) -> Job:
    if typed is not None:
        row = copy(row)
        vars(row).update({name: getattr(typed, name) for name in TYPED})
    return row


def _open(runs: QuerySet[Run]) -> Mapping[int, Sequence[Run]]:
    """Give what goes on or is queued, by job, the oldest first."""
    found: dict[int, list[Run]] = defaultdict(list)
    # By status first, or SQLite would go through the whole history in the order of its ids.
    for run in runs.filter(status__in=OPEN_STATUSES).only(*OPEN).order_by("status", "id"):
        found[run.job_id].append(run)
    return found


def _follow(row: Job, runs: Iterable[Run]) -> None:
    """Let a row that was read before a run of it was claimed know of that."""
    for run in runs:
        due = run.scheduled_for
        is_new = row.last_fire_at is None or row.last_fire_at < due
        if run.status == Status.RUNNING and run.cause == Cause.SCHEDULE and is_new:
            row.last_fire_at, row.owed_since, row.next_run_at = due, due, None


def _collecting(now: datetime) -> datetime:
    """Give since when a runner collects what falls due; one that is started now does so from now on."""
    holder = lease.holder()
    return min(holder.since, now) if holder is not None and holder.is_alive(now) else now
