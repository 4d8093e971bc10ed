"""The queues and hosts of an engine, and what is handed over to them, in the words of the overview."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from ..models import Status
from ..overview import Running, Waiting
from ..queues import Host, Look, Queue
from . import meter, presentation, queue_words, worksheet
from .meter import Meter
from .worksheet import Ground, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class AwayRow(Row):
    """A run that goes on elsewhere."""

    host: str
    queue: str
    since: str
    progress: str
    is_long: bool
    meter: Meter | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutwardRow(Row):
    """One that is to be handed over."""

    queue: str
    due: str
    distance: Any
    starts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRow:
    """A queue."""

    name: str
    address: str  # of its runs
    waiting: int
    waiting_address: str
    running: int
    running_address: str
    oldest: str
    distance: Any
    sign: Any
    is_served: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """A machine with workers."""

    name: str
    address: str
    running: int
    running_address: str
    sign: Any
    queues: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """All of them."""

    queues: tuple[QueueRow, ...]
    hosts: tuple[HostRow, ...]
    unserved: tuple[tuple[str, str], ...]  # that nobody serves a queue, and what to do


def places(look: Look, ground: Ground) -> Places:
    """Say how queues and hosts stand."""
    return Places(
        queues=tuple(_queue(queue, ground) for queue in look.queues),
        hosts=tuple(_host(host, ground) for host in look.hosts),
        unserved=tuple((queue_words.unserved(queue, ground.now), queue_words.advice(queue)) for queue in look.unserved),
    )


def away_row(run: Running, ground: Ground) -> AwayRow:
    """Say where a run goes on, and how far it is; it does so without a runner too."""
    return AwayRow(
        name=run.name,
        job=worksheet.job_address(run.job_id),
        run=ground.run(run.run_id),
        run_id=run.run_id,
        cause=worksheet.cause_words(run.cause, run.requested_by),
        host=run.host,
        queue=run.queue,
        since=presentation.clock(run.started_at, ground.now),
        progress=worksheet.progress_words(run, ground.now),
        is_long=run.is_long(ground.now),
        meter=meter.of_run(run.elapsed(ground.now), run.usual),
    )


def outward_row(item: Waiting, ground: Ground) -> OutwardRow:
    """Say where one is to be handed over to, and when."""
    return OutwardRow(
        name=item.name,
        job=worksheet.job_address(item.job_id),
        run=ground.run(item.run_id),
        run_id=item.run_id,
        cause=worksheet.cause_words(item.cause, item.requested_by),
        queue=item.queue,
        due=presentation.clock(item.due_at, ground.now),
        distance=presentation.countdown(item.due_at, ground.now),
        starts=ground.stopped or _("handed over when no other run of its job goes on"),
    )


def _queue(queue: Queue, ground: Ground) -> QueueRow:
    since, sign = queue.waits_since, queue.sign_at
    return QueueRow(
        name=queue.name,
        address=_runs(ground, queue=queue.name),
        waiting=queue.waiting,
        waiting_address=_runs(ground, queue=queue.name, status__exact=Status.QUEUED.value),
        running=queue.running,
        running_address=_runs(ground, queue=queue.name, status__exact=Status.RUNNING.value),
        oldest=presentation.clock(since, ground.now) if since else "",
        distance=presentation.countdown(since, ground.now) if since else "",
        sign=presentation.countdown(sign, ground.now) if sign else "",
        is_served=queue.is_served,
    )


def _host(host: Host, ground: Ground) -> HostRow:
    return HostRow(
        name=host.name,
        address=_runs(ground, host=host.name),
        running=host.running,
        running_address=_runs(ground, host=host.name, status__exact=Status.RUNNING.value),
        sign=presentation.countdown(host.sign_at, ground.now),
        queues=", ".join(host.queues),
    )


def _runs(ground: Ground, **asked: str) -> str:
    """Give the address of some runs; empty for one who may not see them."""
    return f"{reverse('admin:scheduler_bridge_run_changelist')}?{urlencode(asked)}" if ground.sees_runs else ""
