"""What the workers of each queue took up lately: a run that waits behind others was not lost by the engine."""

from collections import defaultdict
from typing import Final

LATELY: Final = 60.0  # seconds


class Served:
    """Remembers for each queue when its workers were last seen at work, and how far they have come."""

    def __init__(self) -> None:
        self._seen_at: defaultdict[str, float] = defaultdict(lambda: float("-inf"))
        self._reached: defaultdict[str, int] = defaultdict(int)

    def saw(self, queue: str, run_id: int, monotonic: float) -> None:
        """Note that a worker has taken up or ended this run."""
        self._seen_at[queue] = monotonic
        self._reached[queue] = max(run_id, self._reached[queue])

    def has_yet_to_come_to(self, queue: str, run_id: int, monotonic: float) -> bool:
        """Tell whether workers are busy with what was handed over before this run.

        Not when they have passed it, and not when they do nothing: then the engine may have lost it.
        """
        return run_id > self._reached[queue] and monotonic - self._seen_at[queue] < LATELY
