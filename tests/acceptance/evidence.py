"""What is known about a window of time: who asked for what, what the tables say, and what the jobs wrote themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When a job is to run: at an interval, at these moments, or, without both, by itself never."""

    every: timedelta | None = None
    at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A rule that began to hold at some moment between these two."""

    job: str
    asked: datetime
    done: datetime
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the history."""

    id: int
    job: str
    status: str
    cause: str
    parent: int | None
    scheduled_for: datetime
    started_at: datetime | None
    finished_at: datetime | None
    coalesced: int
    marker: str
    report: str
    is_postponed: bool  # its mail was refused and is to be tried again
    queue: str = ""  # of the engine whose worker performed it; empty: the runner did


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One line that a job wrote down itself: start, beat or end."""

    word: str
    job: str
    token: str  # one for each execution
    marker: str  # of the run, where the job's process carries it
    moment: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One row of the ledger."""

    job: str
    fire_time: datetime
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known about a window of time, after which nothing is scheduled any more."""

    changes: tuple[Change, ...]
    rows: tuple[Row, ...]
    marks: tuple[Mark, ...]
    ledger: tuple[Execution, ...]
    transitions: tuple[tuple[int, str, str], ...]  # run, status before, status after; noted by the database
    mailed: tuple[int, ...]  # the runs that mails were sent about
    asked: tuple[int, ...]  # the runs that somebody was told are queued
    followers: Mapping[str, tuple[str, ...]]
    processes: tuple[str, ...] = ()  # what is left
