"""Runs as blocks on a strip: one run, or several of one job that lie too close together to be told apart."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..models import FAILURES, Status
from .window import Window

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Runs of one job with one status; one run as a rule."""

    job_id: int
    status: Status | None  # None: they are still to come
    count: int = 1
    run_id: int | None = None  # the first of them
    due: datetime  # the first
    last_due: datetime
    started: datetime | None = None  # the first
    ended: datetime | None = None  # the last
    waited: timedelta = ZERO  # all of them together
    longest: timedelta = ZERO  # the longest that one of them waited
    ran: timedelta = ZERO  # all of them together
    folded: int = 0
    reason: str = ""
    behind: tuple[str, ...] = ()
    is_away: bool = False  # handed over to an engine: the one worker is not busy with them

    @property
    def is_failure(self) -> bool:
        return self.status in FAILURES

    @property
    def is_open(self) -> bool:
        """Tell a run that waits or runs now."""
        return self.status in {Status.QUEUED, Status.RUNNING}

    @property
    def is_to_come(self) -> bool:
        return self.status is None

    def began(self, now: datetime) -> datetime:
        """Give when the waiting ended; this moment where it has not."""
        return self.started or (now if self.is_open else self.ended) or now

    def until(self, now: datetime) -> datetime:
        """Give when all of it ended; this moment where it has not."""
        return (now if self.is_open else self.ended) or now

    @property
    def skips(self) -> int:
        """Give how many fire times were skipped: those in a row for one reason share one run."""
        return self.count + self.folded if self.status == Status.SKIPPED else 0


def up_to(block: Block, now: datetime) -> Block:
    """Count what an open run has waited and run until now."""
    if not block.is_open:
        return block
    waited = max(ZERO, block.began(now) - block.due)
    ran = max(ZERO, now - block.started) if block.started else ZERO
    return replace(block, waited=waited, longest=waited, ran=ran)


def merged(blocks: Iterable[Block], window: Window) -> Iterator[Block]:
    """Put blocks of one job and one status together that are due within one column of the window."""
    groups: dict[tuple[int, Status | None, bool, int], list[Block]] = defaultdict(list)
    for block in blocks:
        column = (block.due - window.start) // window.column
        groups[block.job_id, block.status, block.is_away, column].append(block)
    return (_one(group) if len(group) > 1 else group[0] for group in groups.values())


def _one(group: list[Block]) -> Block:
    first = min(group, key=_due)
    return replace(
        first,
        count=sum(block.count for block in group),
        last_due=max(block.last_due for block in group),
        started=min((block.started for block in group if block.started), default=None),
        ended=max((block.ended for block in group if block.ended), default=None),
        waited=sum((block.waited for block in group), ZERO),
        longest=max(block.longest for block in group),
        ran=sum((block.ran for block in group), ZERO),
        folded=sum(block.folded for block in group),
        behind=tuple(dict.fromkeys(name for block in group for name in block.behind)),
    )


def _due(block: Block) -> datetime:
    return block.due
