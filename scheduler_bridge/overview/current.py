"""The run that the worker executes now, and those that were handed over: how long they go on, and how long usually."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Case, TextField, Value, When
from django.db.models.functions import Right

from .. import conf, engine
from ..models import OPEN_STATUSES, Cause, Run, Status
from ..past import Usual, usual
from ..plain import plain
from .course import Past
from .queue import Busy, Follower

TAIL: Final = 4000  # characters of the output that are read
LINES: Final = 10
WIDTH: Final = 300  # characters of a line that are shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run that goes on."""

    run_id: int
    job_id: int
    name: str
    cause: Cause
    requested_by: str
    due_at: datetime
    started_at: datetime
    usual: Usual
    tail: str  # of what it has printed, as plain text; not of one that was handed over
    queue: str = ""  # that it was handed over to; empty: the runner's own worker performs it
    host: str = ""

    def elapsed(self, now: datetime) -> timedelta:
        """Give for how long it goes on."""
        return max(timedelta(0), now - self.started_at)

    def is_long(self, now: datetime) -> bool:
        """Tell whether it takes longer than nearly all of its last runs did."""
        return self.usual.p95 is not None and self.elapsed(now) > self.usual.p95

    def busy(self, now: datetime, then: tuple[Follower, ...]) -> Busy:
        """Say when the worker is probably done with it."""
        ends = (self.started_at + span for span in (self.usual.median, self.usual.p95) if span is not None)
        ends_at = next((end for end in ends if end > now), None)
        return Busy(name=self.name, ends_at=ends_at or now, is_known=ends_at is not None, then=then)


def open_runs() -> list[Run]:
    """Read the runs that go on, and those that wait for the runner.

    The end of what the runner's own have printed is their ``tail``. Those that wait for a worker of the engine may be
    many, and are only counted elsewhere; without an engine the runner takes them back.
    """
    rows = Run.objects.using(conf.load().database).filter(status__in=OPEN_STATUSES)
    if engine.is_used():
        rows = rows.exclude(status=Status.QUEUED, hand_at__isnull=False)
    tail = Case(When(queue="", then=Right("output", TAIL)), default=Value(""), output_field=TextField())
    rows = rows.annotate(tail=tail).select_related("job")
    # What is not named here may be long: descriptions, outputs.
    names = ("status", "cause", "requested_by", "scheduled_for", "started_at", "queue", "host", "job__name")
    # In the order of the index: without it, SQLite may look through the whole history.
    return list(rows.only(*names).order_by("status", "-pk"))


def running(rows: Iterable[Run], runs: Past) -> tuple[Running, ...]:
    """Give those of these runs that go on, with what is usual for their jobs."""
    return tuple(
        Running(
            run_id=row.pk,
            job_id=row.job_id,
            name=row.job.name,
            cause=Cause(row.cause),
            requested_by=row.requested_by,
            due_at=row.scheduled_for,
            started_at=row.started_at or row.scheduled_for,
            usual=usual(runs.get(row.job_id, ())),
            tail=last_lines(getattr(row, "tail", "")),
            queue=row.queue,
            host=row.host,
        )
        for row in rows
        if row.status == Status.RUNNING
    )


def last_lines(output: str) -> str:
    """Give the last lines of an output as they stand on a terminal, as plain text."""
    lines = output.replace("\r\n", "\n").rstrip().split("\n")
    if len(output) >= TAIL and len(lines) > 1:
        del lines[0]  # the end of a line, perhaps of an escape sequence
    shown = (plain(line.rstrip("\r").rpartition("\r")[2]) for line in lines[-LINES:])
    return "\n".join(line if len(line) <= WIDTH else f"{line[:WIDTH]}…" for line in shown)
