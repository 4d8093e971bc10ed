"""The runner's look at the runs that were handed over: to hand over again, to tell the end of, or to give up."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from . import engine, history, left_over
from .history import Away, Queued, Sign
from .lease import Identity
from .models import OPEN_STATUSES, Status
from .run import Completion
from .served import Served

LOOK_EVERY: Final = 5.0  # seconds
# A worker that cannot give a sign ends its run within 15 seconds, so that none goes on that was given up.
SILENT_FOR: Final = 30.0  # seconds without a heartbeat, watched by the runner's own clock
# What the runner gave up, or a person cancelled, says nothing of workers.
ENDED_BY_WORKERS: Final = (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What one look found."""

    again: tuple[Away, ...] = ()  # to be handed over again
    ended: tuple[tuple[Away, Completion], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.again or self.ended)


def _completion(away: Away, chained: tuple[Queued, ...]) -> Completion:
    """Say of a run that a worker has ended what the runner says of its own."""
    return Completion(
        name=away.name,
        status=away.status,
        reason=away.reason,
        run_id=away.run_id,
        chained=chained,
        owes_mail=away.owes_mail,
    )


class Watch:
    """Remembers when each sign of life was first seen: clocks of two hosts are never compared."""

    def __init__(self, me: Identity) -> None:
        self._me = me
        self._seen: dict[int, tuple[Sign, float]] = {}
        self._served = Served()
        self._looked_at = float("-inf")
        self._is_needed: bool | None = None

    @property
    def is_needed(self) -> bool:
        """Tell whether there is anything to look at: an engine, or what was handed over while there was one."""
        if self._is_needed is None:
            self._is_needed = engine.is_used() or history.is_any_handed()
        return self._is_needed

    def pause(self, monotonic: float) -> float:
        """Give the seconds until the next look is due."""
        if self._is_needed is False:
            return float("inf")
        return max(0.0, self._looked_at + LOOK_EVERY - monotonic)

    def forget(self) -> None:
        """Begin to count anew: while the database was away no worker could give a sign."""
        self._seen.clear()

    def look(self, now: datetime, monotonic: float) -> News:
        """Give up the runs that are lost, and give what is to be done about the others."""
        is_time = self.pause(monotonic) <= 0
        if is_time:
            self._look_for_lost(now, monotonic)
            self._looked_at = monotonic
        # In between, as each end is told of, only what is new: of what waits there may be very much.
        found = history.to_look_at(now if is_time else None)
        ended = [run for run in found if run.status not in OPEN_STATUSES]
        for run in ended:
            if run.status in ENDED_BY_WORKERS:
                self._served.saw(run.queue, run.run_id, monotonic)
        chained = history.chained_after([run.run_id for run in ended]) if ended else {}
        return News(
            again=tuple(self._placed(run, monotonic) for run in found if run.status == Status.QUEUED),
            ended=tuple((run, _completion(run, chained.get(run.run_id, ()))) for run in ended),
        )

    def _placed(self, run: Away, monotonic: float) -> Away:
        """Say of a run that waits whether it only waits for its turn, or the engine may have lost it."""
        to_come = not run.at_once and self._served.has_yet_to_come_to(run.queue, run.run_id, monotonic)
        return replace(run, to_come=to_come)

    def _look_for_lost(self, now: datetime, monotonic: float) -> None:
        history.release_lost()
        signs = history.signs()
        before = self._seen
        for sign in signs:
            if sign.run_id not in before:
                self._served.saw(sign.queue, sign.run_id, monotonic)
        self._seen = {sign.run_id: self._since(before, sign, monotonic) for sign in signs}
        for sign, since in list(self._seen.values()):
            if monotonic - since >= SILENT_FOR:
                self._give_up(sign, now)

    @staticmethod
    def _since(before: dict[int, tuple[Sign, float]], sign: Sign, monotonic: float) -> tuple[Sign, float]:
        known = before.get(sign.run_id)
        return known if known is not None and known[0] == sign else (sign, monotonic)

    def _give_up(self, sign: Sign, now: datetime) -> None:
        run = history.lost(sign)
        if run is not None:
            left_over.give_up(run, self._me, now, f"its worker on {run.host} gives no sign of life")
