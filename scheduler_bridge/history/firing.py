"""What waits for the worker, as values."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ..models import Cause

# What goes ahead of what, before the fire time counts.
PRIORITY: Final = {Cause.CHAIN: 0, Cause.MANUAL: 1, Cause.SCHEDULE: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One firing that waits for the worker: a fire time of a schedule, or a queued run."""

    job_id: int
    name: str
    cause: Cause
    fire_time: datetime
    coalesced: int = 0
    run_id: int | None = None  # the queued run, for one asked for by hand or chained
    schedule_key: str | None = None  # the schedule that the gate found it due under; None: any

    def folded_with(self, other: "Firing") -> "Firing":
        """Make one of two firings of a job that wait: the later one, which counts the other."""
        earlier, later = sorted((other, self), key=lambda item: item.fire_time)
        if earlier.fire_time == later.fire_time:
            return max(other, self, key=lambda item: item.coalesced)
        return replace(later, coalesced=earlier.coalesced + 1 + later.coalesced)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A queued run, as the runner takes it up."""

    run_id: int
    job_id: int
    name: str
    cause: Cause
    scheduled_for: datetime
    queue: str = ""  # of the engine that it is to be handed over to
