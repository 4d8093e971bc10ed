"""What waits for the worker, as values."""

from dataclasses import dataclass
from datetime import datetime

from ..models import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One firing that waits for the worker: a fire time of a schedule, or a queued run."""

    job_id: int
    name: str
    cause: Cause
    fire_time: datetime
    coalesced: int = 0
    run_id: int | None = None  # the queued run, for one asked for by hand or chained


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A queued run, as the runner takes it up."""

    run_id: int
    job_id: int
    name: str
    cause: Cause
    scheduled_for: datetime
