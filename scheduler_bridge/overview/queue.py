"""The line before the one worker: who goes ahead of whom, and when each will start if all takes as long as usual."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

from ..history import PRIORITY
from ..models import Cause

NAMED: Final = 3  # of the jobs that go ahead of one


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One run that waits: due by its schedule, or queued."""

    job_id: int
    name: str
    cause: Cause
    due_at: datetime
    coalesced: int = 0
    run_id: int | None = None  # the queued run
    requested_by: str = ""
    queue: str = ""  # that it is to be handed over to, instead of waiting for the worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What is known of jobs by name: how long each takes, and which follow it."""

    takes: Mapping[str, timedelta]  # none for a job that never ran
    following: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """A job that will run after another, ahead of all that waits."""

    name: str
    takes: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the line."""

    waiting: Waiting
    starts_at: datetime
    takes: timedelta | None  # None: it never ran
    then: tuple[Follower, ...]
    behind: tuple[str, ...]  # the first of the jobs that the worker does from when this is due until it starts
    ahead: int  # how many those are
    is_known: bool  # how long all takes that goes ahead is known by history

    @property
    def ends_at(self) -> datetime:
        """When the worker is free again."""
        return self.starts_at + in_all(self.takes, self.then)


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """What the worker does before it turns to the line."""

    name: str
    ends_at: datetime
    is_known: bool
    then: tuple[Follower, ...] = ()

    @property
    def free_at(self) -> datetime:
        """When the worker is done with it and with those after it."""
        return self.ends_at + in_all(None, self.then)


def following(name: str, course: Course) -> tuple[Follower, ...]:
    """Give what will run after a job, and how long it takes."""
    names = course.following.get(name, ())
    return tuple(Follower(name=follower, takes=course.takes.get(follower)) for follower in names)


def in_all(takes: timedelta | None, then: Iterable[Follower]) -> timedelta:
    """Give how long a job and those after it take; what is not known counts as nothing."""
    spans = (takes, *(follower.takes for follower in then))
    return sum((span for span in spans if span is not None), timedelta(0))


def line_up(waiting: Iterable[Waiting], now: datetime, course: Course, busy: Busy | None = None) -> tuple[Place, ...]:
    """Say in which order these start and when, one after the other.

    Jobs that fall due meanwhile are not looked for: they go behind those that are due by their schedule already.
    """
    line = _Line()
    free_at, is_known = now, True
    if busy is not None:
        free_at = max(now, line.add(busy.name, busy.ends_at, busy.then))
        is_known = busy.is_known and _are_known(busy.then)
    places: list[Place] = []
    for item, starts_at in _turns(waiting, free_at, course):
        then, takes = following(item.name, course), course.takes.get(item.name)
        behind, ahead = line.from_then_on(item.due_at)
        place = Place(
            waiting=item,
            starts_at=starts_at,
            takes=takes,
            then=then,
            behind=behind,
            ahead=ahead,
            is_known=is_known,
        )
        places.append(place)
        line.add(item.name, starts_at + (takes or timedelta(0)), then)
        is_known = is_known and takes is not None and _are_known(then)
    return tuple(places)


def _turns(waiting: Iterable[Waiting], free_at: datetime, course: Course) -> Iterator[tuple[Waiting, datetime]]:
    """Give each when its turn comes: chained before by hand before by schedule, of what is due at that moment."""
    number = count()
    coming = [(item.due_at, next(number), item) for item in waiting]
    heapify(coming)
    due: list[tuple[int, datetime, int, Waiting]] = []
    while coming or due:
        if not due:
            free_at = max(free_at, coming[0][0])
        while coming and coming[0][0] <= free_at:
            due_at, place, item = heappop(coming)
            heappush(due, (PRIORITY[item.cause], due_at, place, item))
        item = heappop(due)[-1]
        yield item, free_at
        free_at += in_all(course.takes.get(item.name), following(item.name, course))


class _Line:
    """What the worker does one after the other, each with its end."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._ends: list[datetime] = []

    def add(self, name: str, ends_at: datetime, then: Iterable[Follower]) -> datetime:
        """Add a job and its followers; give when the worker is free again."""
        self._note(name, ends_at)
        for follower in then:
            ends_at += follower.takes or timedelta(0)
            self._note(follower.name, ends_at)
        return ends_at

    def from_then_on(self, moment: datetime) -> tuple[tuple[str, ...], int]:
        """Give what is done after this moment: the first of it, and how much it is."""
        first = bisect_right(self._ends, moment)
        return tuple(self._names[first : first + NAMED]), len(self._names) - first

    def _note(self, name: str, ends_at: datetime) -> None:
        self._names.append(name)
        self._ends.append(ends_at)


def _are_known(then: Iterable[Follower]) -> bool:
    return all(follower.takes is not None for follower in then)
