"""Two forecasts beside each other, and what starts late in one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .start import Forecast, Start

NOTHING: Final = timedelta(0)
LEAST: Final = timedelta(seconds=1)  # by which a job must start later or earlier to be named


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The longest wait of one job, and behind what."""

    late: timedelta
    due: datetime
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How late one job starts at worst, before a change and after it; None: it does not come up at all."""

    job_id: int
    name: str
    before: Wait | None
    after: Wait | None

    @property
    def by(self) -> timedelta:
        """By how much later it starts after the change; less than nothing for one that starts earlier."""
        return _late(self.after) - _late(self.before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a change does to all jobs."""

    later: tuple[Shift, ...]  # the largest difference first
    earlier: tuple[Shift, ...]
    busy_before: float
    busy_after: float
    until: datetime  # how far both were computed


def late(forecast: Forecast, threshold: timedelta) -> tuple[Start, ...]:
    """Give the starts that are later than this, the worst first."""
    found = (start for start in forecast.starts if start.late > threshold)
    return tuple(sorted(found, key=lambda start: start.late, reverse=True))


def compare(before: Forecast, after: Forecast, least: timedelta = LEAST) -> Comparison:
    """Say which jobs start later or earlier at worst, as far as both forecasts reach; each busy share is its own."""
    until = min(before.until, after.until)
    worst, names = (_worst(before, until), _worst(after, until)), _names(before) | _names(after)
    shifts = [
        Shift(job_id=job_id, name=name, before=worst[0].get(job_id), after=worst[1].get(job_id))
        for job_id, name in names.items()
    ]
    return Comparison(
        later=tuple(sorted((item for item in shifts if item.by >= least), key=lambda item: -item.by)),
        earlier=tuple(sorted((item for item in shifts if -item.by >= least), key=lambda item: item.by)),
        busy_before=before.busy,
        busy_after=after.busy,
        until=until,
    )


def _worst(forecast: Forecast, until: datetime) -> dict[int, Wait]:
    """Give the longest wait of each job; one that has not ended by then counts until then."""
    found: dict[int, Wait] = {}
    for job_id, wait in _waits(forecast, until):
        if wait.due < until and (job_id not in found or wait.late > found[job_id].late):
            found[job_id] = wait
    return found


def _waits(forecast: Forecast, until: datetime) -> Iterator[tuple[int, Wait]]:
    for start in forecast.starts:
        late = min(start.starts, until) - start.due
        yield start.job_id, Wait(late=late, due=start.due, behind=start.behind)
    for item in forecast.waiting:
        yield item.job_id, Wait(late=until - item.due, due=item.due, behind=item.behind)


def _names(forecast: Forecast) -> dict[int, str]:
    names = {start.job_id: start.name for start in forecast.starts}
    return names | {item.job_id: item.name for item in forecast.waiting}


def _late(wait: Wait | None) -> timedelta:
    return wait.late if wait is not None else NOTHING
