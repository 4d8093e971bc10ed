"""The queues of the engine as their runs show them: what waits and goes on, on which hosts, and which nobody serves.

An engine's workers cannot be asked for in one way that holds for all engines. What they did is on the runs: each job
points at its last one, so that one look over the jobs tells of each queue and each host, however long the history is.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from django.db import connections
from django.db.models import Count, Max, Min, QuerySet

from . import conf, discovery, engine, past, sql
from .models import OPEN_STATUSES, Job, Run, Runner, Status

# A run that waits so long, while no worker gave a sign for any of its queue, waits for nobody.
UNSERVED_AFTER: Final = timedelta(minutes=2)
LATELY: Final = timedelta(days=1)  # a host whose last sign is older is not shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One queue of the engine."""

    name: str
    waiting: int = 0  # handed over, and not taken up by a worker
    running: int = 0
    waits_since: datetime | None = None  # the oldest of those that wait
    sign_at: datetime | None = None  # the last sign of a worker: it took up a run, performs one, or ended one
    is_served: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine whose workers performed runs lately."""

    name: str
    running: int
    sign_at: datetime
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """All queues and hosts, at one moment."""

    queues: tuple[Queue, ...] = ()
    hosts: tuple[Host, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.queues or self.hosts)

    @property
    def unserved(self) -> tuple[Queue, ...]:
        """The queues that nobody serves."""
        return tuple(queue for queue in self.queues if not queue.is_served)

    def queue(self, name: str) -> Queue:
        """Give one queue; an empty one where nothing is known of it."""
        return next((queue for queue in self.queues if queue.name == name), Queue(name=name))


@dataclass(slots=True)
class _Found:
    """What is put together for one queue or one host."""

    waiting: int = 0
    running: int = 0
    waits_since: datetime | None = None
    sign_at: datetime | None = None
    queues: set[str] = field(default_factory=set)

    def sees(self, *moments: datetime | None) -> None:
        known = [moment for moment in (self.sign_at, *moments) if moment is not None]
        self.sign_at = max(known, default=None)


def look(now: datetime, *, held: bool | None = None) -> Look:
    """Read the state of all queues in two statements, and a third to know of a hold.

    Args:
        held: whether the runner is on hold, where that is known; workers start nothing then, and are not missed.
    """
    queues: dict[str, _Found] = {name: _Found() for name in named()}
    hosts: dict[str, _Found] = {}
    _add_open(queues, hosts)
    _add_last(queues, hosts)
    is_held = _is_held() if held is None else held
    return Look(
        queues=tuple(_queue(name, queues[name], now, is_held) for name in sorted(queues)),
        hosts=tuple(
            Host(name=name, running=found.running, sign_at=found.sign_at, queues=tuple(sorted(found.queues)))
            for name, found in sorted(hosts.items())
            if found.sign_at is not None and (found.running or now - found.sign_at <= LATELY)
        ),
    )


def named() -> tuple[str, ...]:
    """Give the queues that the code and the settings name; none while there is no engine."""
    if not engine.is_used():
        return ()
    names = {definition.queue for definition in discovery.discover().definitions.values() if definition.queue}
    names |= {item.queue for item in conf.load().overrides.values() if isinstance(item.queue, str)}
    return tuple(sorted(names))


def choices() -> tuple[str, ...]:
    """Give the queues that a job can be sent to: those the engine is set up for, and those that are named."""
    declared = engine.queues()
    return tuple(sorted(set(declared) or set(named())))


def handed_run(row: Job) -> Run | None:
    """Give the run of this job that is handed over to an engine and has not ended; no statement where there is none."""
    if row.handed_run_id is None:
        return None
    return _runs().filter(pk=row.handed_run_id, status__in=OPEN_STATUSES).defer("output").first()


def _add_open(queues: dict[str, _Found], hosts: dict[str, _Found]) -> None:
    """Add what waits and what goes on."""
    rows = _runs().filter(status__in=OPEN_STATUSES).exclude(queue="").order_by().values_list("status", "queue", "host")
    told = (Count("pk"), Count("hand_at"), Min("handed_at"), Max("heartbeat_at"))
    for status, name, host, running, waiting, waits_since, sign_at in rows.annotate(*told):
        queue = queues.setdefault(name, _Found())
        if status == Status.QUEUED:
            queue.waiting, queue.waits_since = waiting, waits_since
            continue
        machine = hosts.setdefault(host, _Found())
        for found in (queue, machine):
            found.running += running
            found.sees(sign_at)
        machine.queues.add(name)


def _add_last(queues: dict[str, _Found], hosts: dict[str, _Found]) -> None:
    """Add what the last run of each job tells of the workers; a queue that is known by it alone is none any more."""
    using = conf.load().database
    moment = past.moments(using)
    with connections[using].cursor() as cursor:
        cursor.execute(_last_signs(using), [Status.ABANDONED.value])
        rows = cursor.fetchall()
    for name, host, *values in rows:
        signs = [moment(value) for value in values]
        if name in queues:
            queues[name].sees(*signs)
        if host:
            machine = hosts.setdefault(host, _Found())
            machine.sees(*signs)
            machine.queues.add(name)


@cache
def _last_signs(using: str) -> str:
    """Give what looks up one run for each job; an abandoned one was closed by the runner, not by its worker.

    PostgreSQL would go through the whole history for it if it were left the choice.
    """
    run, job = sql.table(Run, using), sql.table(Job, using)
    names = ("queue", "host", "started_at", "heartbeat_at", "finished_at", "status")
    last = f"{job}.{job['last_run_id']}"
    if connections[using].vendor == "postgresql":
        each = f"SELECT {run.names(names)} FROM {run} WHERE {run['id']} = {last} OFFSET 0"
        source = f"{job} CROSS JOIN LATERAL ({each}) AS last_run"
    else:
        source = f"{job} INNER JOIN {run} AS last_run ON last_run.{run['id']} = {last}"
    queue, host, started, beat, finished, status = (f"last_run.{run[name]}" for name in names)
    ended = f"CASE WHEN {status} <> %s THEN {finished} END"
    return (
        f"SELECT {queue}, {host}, MAX({started}), MAX({beat}), MAX({ended}) FROM {source} "
        f"WHERE {queue} > '' GROUP BY {queue}, {host}"
    )


def _queue(name: str, found: _Found, now: datetime, is_held: bool) -> Queue:
    is_late = found.waits_since is not None and now - found.waits_since >= UNSERVED_AFTER
    is_silent = found.sign_at is None or now - found.sign_at >= UNSERVED_AFTER
    return Queue(
        name=name,
        waiting=found.waiting,
        running=found.running,
        waits_since=found.waits_since,
        sign_at=found.sign_at,
        is_served=is_held or not (is_late and is_silent),
    )


def _is_held() -> bool:
    return Runner.objects.using(conf.load().database).filter(pk=Runner.ROW, held=True).exists()


def _runs() -> QuerySet[Run]:
    return Run.objects.using(conf.load().database)
