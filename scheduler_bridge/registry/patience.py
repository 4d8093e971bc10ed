"""When triggers that broke are asked again: after a pause that grows, remembered by one process."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Trial:
    failed_at: datetime
    pause: timedelta
    is_open: bool  # it has not answered since

    @property
    def again_at(self) -> datetime:
        return self.failed_at + self.pause


class Patience:
    """Remembers which triggers are broken, and for how long each is left alone."""

    def __init__(self) -> None:
        self._trials: dict[int, _Trial] = {}

    def failed(self, job_id: int, now: datetime, *, again: bool) -> None:
        """Take note of a trigger that is broken.

        Args:
            again: its pause was over, and it was asked again.
        """
        known = self._trials.get(job_id)
        if known is None or now >= known.failed_at + 2 * LONGEST_PAUSE:
            self._trials[job_id] = _Trial(now, FIRST_PAUSE, True)
        elif again or not known.is_open:
            self._trials[job_id] = _Trial(now, min(LONGEST_PAUSE, 2 * known.pause), True)

    def answered(self, job_id: int) -> None:
        """Take note of a trigger that answers; one that breaks again soon is left alone for longer."""
        known = self._trials.get(job_id)
        if known is not None:
            self._trials[job_id] = _Trial(known.failed_at, known.pause, False)

    def over(self, now: datetime, jobs: Container[int]) -> set[int]:
        """Return which of these jobs, which are all there are, have a trigger that is to be asked again."""
        self._trials = {job_id: trial for job_id, trial in self._trials.items() if job_id in jobs}
        return {job_id for job_id, trial in self._trials.items() if trial.is_open and trial.again_at <= now}

    def pause(self, now: datetime) -> float:
        """Return the seconds until one is to be asked again; endless when there is none."""
        open_ = (trial.again_at for trial in self._trials.values() if trial.is_open)
        first = min(open_, default=None)
        return float("inf") if first is None else max(0.0, (first - now).total_seconds())
