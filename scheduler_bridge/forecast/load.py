"""What the simulation is told: each job as a load on the one worker, or on the engine, and what is in hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from apscheduler.triggers.base import BaseTrigger

from ..models import Cause

# How long a job is thought to take that has never run.
UNKNOWN: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The trigger that times a job from this moment until the next stage begins; None: nothing does."""

    trigger: BaseTrigger | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """Fire times that have passed and that no run covers yet."""

    since: datetime  # from then on the job waits for the worker
    latest: datetime
    coalesced: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The run of a job that goes on now."""

    started: datetime
    ends: datetime  # as usual, or now when it should have ended
    is_away: bool = False  # a worker of the engine performs it


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A queued run that waits, for the worker or for its time."""

    run_id: int
    cause: Cause
    due: datetime
    is_forced: bool = False  # it runs even when its job is disabled, and without being asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One job: when it comes to the worker, and for how long."""

    job_id: int
    name: str
    stages: tuple[Stage, ...] = ()  # in the order of time
    owed: Owed | None = None
    running: Running | None = None
    queued: tuple[Waiting, ...] = ()
    usual: timedelta = UNKNOWN
    is_known: bool = True  # False: it never ran, so how long it takes is a guess
    skipped: float = 0.0  # from 0 to 1: the share of its firings that should_run leaves out
    followers: tuple[int, ...] = ()  # the jobs that run right after it
    left_out: datetime | None = None  # the one fire time that a person wants left out
    enabled: bool = True
    is_away: bool = False  # its runs are handed over to an engine, and do not come to the worker

    @property
    def expected(self) -> timedelta:
        """What one firing takes on average, those that are skipped included."""
        return self.usual * (1 - self.skipped)
