"""What the simulation tells: each run to come, what is left waiting, and how busy the worker is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ..models import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One run to come."""

    job_id: int
    name: str
    cause: Cause
    due: datetime  # the first fire time that it covers: from then on it waits
    fire_time: datetime  # the last one, which its run will be recorded for
    starts: datetime
    ends: datetime
    coalesced: int
    behind: tuple[str, ...]  # what the worker is busy with from ``due`` on, in order, each job once
    is_away: bool = False  # it is handed over to an engine

    @property
    def late(self) -> timedelta:
        """How long it waits."""
        return self.starts - self.due


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstarted:
    """A run that still waits where the forecast ends."""

    job_id: int
    name: str
    cause: Cause
    due: datetime
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the one worker will do."""

    starts: tuple[Start, ...]  # in the order of time
    waiting: tuple[Unstarted, ...]  # in the order in which they would start
    until: datetime  # how far it was computed
    busy: float  # from 0 to 1: the share of the time until then in which the worker is busy
    is_whole: bool  # False: it was cut at the limit of events
