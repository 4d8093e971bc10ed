"""What the runner remembers of the messages it has sent to the engine, so that it sends none in vain."""

from typing import Final

from .history import Away

REMEMBERED: Final = 100_000  # runs


class Messages:
    """Remembers how often each run was handed over: what was read from the tables before that is out of date."""

    def __init__(self) -> None:
        self._tries: dict[int, int] = {}
        self._refused: set[int] = set()

    def tried(self, run_id: int, tries: int, *, taken: bool) -> None:
        """Note that the engine was told of a run once more than so often, and whether it took that."""
        self._tries[run_id] = tries + 1
        (self._refused.discard if taken else self._refused.add)(run_id)
        if len(self._tries) > REMEMBERED:
            self.forget(next(iter(self._tries)))

    def forget(self, run_id: int) -> None:
        """Know no more of a run."""
        self._tries.pop(run_id, None)
        self._refused.discard(run_id)

    def has(self, run_id: int | None) -> bool:
        """Tell whether this run was handed over."""
        return run_id in self._tries

    def is_out_of_date(self, away: Away) -> bool:
        """Tell whether a run was handed over again since this was read."""
        return away.tries < self._tries.get(away.run_id, 0)

    def is_on_its_way(self, away: Away) -> bool:
        """Tell whether workers are about to come to a run: in a long queue each message would be doubled."""
        return away.to_come and away.run_id not in self._refused
