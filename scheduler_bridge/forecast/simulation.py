"""The one worker, simulated: no clock and no database, so the same question always has the same answer.

What is handed over to an engine does not come to the worker. It is thought to start at once, but never beside another
run of its job: how many workers an engine has is not known here.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from operator import attrgetter, itemgetter
from typing import Final

from ..history import PRIORITY
from ..models import Cause
from ..triggers import Courses, Overdue
from .load import Load, Owed
from .start import Forecast, Start, Unstarted
from .timing import Timing

LIMIT: Final = 100_000  # starts, and fire times that must be asked for one by one
BEHIND: Final = 20  # names given of the jobs that one waits behind


def simulate(loads: Sequence[Load], now: datetime, until: datetime, *, limit: int = LIMIT) -> Forecast:
    """Let one worker do what these jobs ask of it from now until then.

    Every run takes what its job takes on average, skipped ones included, and is followed by the runs it chains. A hold
    is thought to end now. What falls due at ``until`` or later is no part of it.

    Args:
        limit: the number of starts, and of fire times that must be asked for one by one, at which it is cut.
    """
    worker = _Worker(loads, now, until, limit)
    worker.take_over()
    return worker.work()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """Something that the worker does when its time has come."""

    load: Load
    cause: Cause
    number: int  # the order of what falls due at the same moment
    share: float  # from 0 to 1: how often it takes place at all
    takes: timedelta
    timing: Timing | None = None  # of a turn by schedule, which comes again
    owed: Owed | None = None
    since: datetime | None = None  # when it fell due, where it waits for a run of its own job on the engine


class _Worker:
    def __init__(self, loads: Sequence[Load], now: datetime, until: datetime, limit: int) -> None:
        self._now, self._until, self._free, self._limit = now, until, now, limit
        self._loads = {load.job_id: load for load in loads}
        self._courses = Courses(now)
        self._coming: list[tuple[datetime, int, _Turn]] = []
        self._waiting: list[tuple[int, datetime, int, _Turn]] = []
        self._starts: list[Start] = []
        self._busy = timedelta(0)
        self._away: dict[int, datetime] = {}  # until when a run of a job goes on elsewhere
        # What the worker was busy with, one after the other, and when each ended.
        self._names: list[str] = []
        self._ends: list[datetime] = []
        # APScheduler hands over by name what falls due at one moment.
        for number, load in enumerate(sorted(loads, key=attrgetter("name"))):
            self._schedule(load, number)
        self._number = count(len(loads))

    def _schedule(self, load: Load, number: int) -> None:
        timing = Timing(load, self._courses)
        turn = _Turn(
            load=load,
            cause=Cause.SCHEDULE,
            number=number,
            share=1 - load.skipped,
            takes=load.expected,
            timing=timing,
            owed=load.owed,
        )
        self._come(turn, load.owed.since if load.owed else timing.after(self._now))

    def take_over(self) -> None:
        """Begin with what is in hand already."""
        queued = ((item.run_id, item, load) for load in self._loads.values() for item in load.queued)
        for _, item, load in sorted(queued, key=itemgetter(0)):
            if load.enabled or item.is_forced:
                share = 1.0 if item.is_forced else 1 - load.skipped
                self._come(self._single(load, item.cause, share), item.due)
        for load in self._loads.values():
            if load.running is not None and load.running.is_away:
                self._go_on_away(load, max(self._now, load.running.ends), 1.0)
            elif load.running is not None:
                self._be_busy(load.name, self._now, max(self._now, load.running.ends))
                self._chain(load, 1.0)

    def work(self) -> Forecast:
        """Do one turn after the other until the end, or the limit."""
        moment = self._free
        while moment < self._until and not self._is_full:
            moment = self._gather(moment)
            if self._is_full:
                break
            if self._waiting:
                self._start(moment)
                moment = self._free
            else:
                moment = self._coming[0][0] if self._coming else self._until
        return self._told(max(self._now, min(moment, self._until)), moment >= self._until)

    @property
    def _is_full(self) -> bool:
        return len(self._starts) + self._courses.asked >= self._limit

    def _told(self, until: datetime, is_whole: bool) -> Forecast:
        self._gather(until)
        span = until - self._now
        return Forecast(
            starts=tuple(self._starts),
            waiting=tuple(
                _unstarted(turn, due, self._behind(due)) for _, due, _, turn in sorted(self._waiting) if due < until
            ),
            until=until,
            busy=min(1.0, self._busy / span) if span else 0.0,
            is_whole=is_whole,
        )

    def _come(self, turn: _Turn, moment: datetime | None) -> None:
        if moment is not None and moment < self._until:
            heappush(self._coming, (moment, turn.number, turn))

    def _gather(self, moment: datetime) -> datetime:
        """Let wait what has fallen due, and start what is handed over; give how far that went before the limit."""
        while self._coming and self._coming[0][0] <= moment:
            due, number, turn = heappop(self._coming)
            if not turn.load.is_away:
                heappush(self._waiting, (PRIORITY[turn.cause], due, number, turn))
            elif self._is_full:
                heappush(self._coming, (due, number, turn))
                return due
            else:
                self._hand_over(turn, due)
        return moment

    def _hand_over(self, turn: _Turn, moment: datetime) -> None:
        """Start a turn elsewhere, or as soon as the run of its job has ended that goes on there."""
        free, due = self._away.get(turn.load.job_id, moment), turn.since or moment
        if free > moment:
            self._come(replace(turn, since=due), free)
            return
        self._record(turn, due, moment)
        self._go_on_away(turn.load, moment + turn.takes, turn.share)

    def _go_on_away(self, load: Load, ends: datetime, share: float) -> None:
        self._away[load.job_id] = ends
        for follower in self._followers(load, share):
            self._come(follower, ends)

    def _start(self, moment: datetime) -> None:
        _, due, _, turn = heappop(self._waiting)
        self._record(turn, due, moment)
        self._be_busy(turn.load.name, moment, moment + turn.takes)
        self._chain(turn.load, turn.share)

    def _record(self, turn: _Turn, due: datetime, moment: datetime) -> None:
        covered, load = self._cover(turn, due, moment), turn.load
        self._starts.append(
            Start(
                job_id=load.job_id,
                name=load.name,
                cause=turn.cause,
                due=due,
                fire_time=covered.latest,
                starts=moment,
                ends=moment + turn.takes,
                coalesced=covered.coalesced,
                behind=() if load.is_away else self._behind(due),
                is_away=load.is_away,
            )
        )

    def _cover(self, turn: _Turn, due: datetime, moment: datetime) -> Overdue:
        """Fold what has fallen due until this moment, and let the turn come again at its next fire time."""
        if turn.timing is None:
            return Overdue(latest=due, coalesced=0)
        owed = turn.owed
        latest, coalesced = (owed.latest, owed.coalesced) if owed else (due, 0)
        following = turn.timing.after(due)
        if following is not None and following <= moment:
            folded = turn.timing.fold(due, moment)
            latest, coalesced = folded.latest, coalesced + folded.coalesced
            following = turn.timing.after(moment)
        self._come(replace(turn, owed=None, since=None) if owed or turn.since else turn, following)
        return Overdue(latest=latest, coalesced=coalesced)

    def _be_busy(self, name: str, begin: datetime, end: datetime) -> None:
        self._free = end
        if end > begin:
            self._names.append(name)
            self._ends.append(end)
            self._busy += max(timedelta(0), min(end, self._until) - begin)

    def _chain(self, load: Load, share: float) -> None:
        """Put the followers of a job ahead of everything that waits."""
        for turn in self._followers(load, share):
            if turn.load.is_away:
                self._come(turn, self._free)
            else:
                heappush(self._waiting, (PRIORITY[Cause.CHAIN], self._free, turn.number, turn))

    def _followers(self, load: Load, share: float) -> Iterator[_Turn]:
        """Give the turns of the jobs that follow one; one that never runs has none."""
        for job_id in load.followers if share > 0 else ():
            follower = self._loads.get(job_id)
            if follower is not None and follower.enabled:
                yield self._single(follower, Cause.CHAIN, share * (1 - follower.skipped))

    def _single(self, load: Load, cause: Cause, share: float) -> _Turn:
        return _Turn(load=load, cause=cause, number=next(self._number), share=share, takes=load.usual * share)

    def _behind(self, due: datetime) -> tuple[str, ...]:
        place = bisect_right(self._ends, due)
        found: dict[str, None] = {}
        while place < len(self._names) and len(found) < BEHIND:
            found |= dict.fromkeys(self._names[place : place + BEHIND])
            place += BEHIND
        return tuple(found)[:BEHIND]


def _unstarted(turn: _Turn, due: datetime, behind: tuple[str, ...]) -> Unstarted:
    load = turn.load
    return Unstarted(job_id=load.job_id, name=load.name, cause=turn.cause, due=due, behind=behind)
