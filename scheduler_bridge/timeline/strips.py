"""A window laid out as strips: what each job did and will do, those that fail or take most time first."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from ..models import Status
from .blocks import ZERO, Block
from .profile import Profile, busy, profile
from .window import Window

STRIPS: Final = 50  # on one page
BUDGET: Final = 550  # bars and cells on one page
# How many bars one side of a strip may have, and into how many cells it is divided where it has more.
_WAYS: Final = ((400, 12), (200, 12), (100, 12), (50, 12), (25, 12), (12, 12), (8, 6), (4, 4))
_NOTED: Final = timedelta(seconds=1)  # a shorter wait needs no explanation
_NAMED: Final = 3  # jobs that a wait is explained by


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A part of a strip that is too full for bars: what is in it."""

    start: datetime
    end: datetime
    count: int
    failed: int
    skips: int
    due: datetime  # the first
    last_due: datetime
    longest: timedelta  # the longest wait
    ran: timedelta
    is_to_come: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """The past or the future of a strip: a bar for each run, or a profile of all and cells that tell of them."""

    bars: tuple[Block, ...] = ()
    profile: Profile | None = None
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One job."""

    job_id: int
    name: str
    done: Side
    to_come: Side
    runs: int
    failed: int
    skips: int
    planned: int
    longest: timedelta  # the longest wait so far
    ran: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The one worker: the share of each column in which it was, or will be, busy."""

    done: tuple[float, ...]
    to_come: tuple[float, ...]
    share: float | None  # of what has passed of the window; None: nothing has
    share_to_come: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one page shows."""

    strips: tuple[Strip, ...]
    worker: Worker
    number: int  # of this page, from 1
    pages: int
    found: int  # jobs with something in the window
    quiet: int  # jobs without


def lay_out(
    window: Window, names: Mapping[int, str], done: Sequence[Block], to_come: Sequence[Block], *, page: int = 1
) -> Page:
    """Lay out what happened and what will happen to these jobs; the worker is that of all blocks."""
    by_job: dict[int, tuple[list[Block], list[Block]]] = defaultdict(lambda: ([], []))
    for block in done:
        by_job[block.job_id][0].append(block)
    for block in to_come:
        by_job[block.job_id][1].append(block)
    found = sorted((job_id for job_id in by_job if job_id in names), key=lambda job_id: _rank(by_job[job_id], names))
    pages = max(1, -(-len(found) // STRIPS))
    number = min(max(1, page), pages)
    shown = found[(number - 1) * STRIPS : number * STRIPS]
    way = _way([_count(side) for job_id in shown for side in by_job[job_id]])
    reasons = _Reasons(done, names)
    return Page(
        strips=tuple(_strip(job_id, names[job_id], by_job[job_id], window, way, reasons) for job_id in shown),
        worker=_worker(done, to_come, window),
        number=number,
        pages=pages,
        found=len(found),
        quiet=len(names) - len(found),
    )


def _rank(sides: tuple[list[Block], list[Block]], names: Mapping[int, str]) -> tuple[bool, timedelta, str]:
    """Put jobs that failed first, then those that take most time, waiting included."""
    blocks = [*sides[0], *sides[1]]
    taken = sum((block.ran + block.waited for block in blocks), ZERO)
    return not any(block.is_failure for block in blocks), -taken, names[blocks[0].job_id]


def _count(blocks: Iterable[Block]) -> int:
    """Count the runs: a block that stands for many says nothing of the time between them."""
    return sum(block.count for block in blocks)


def _way(counts: Sequence[int]) -> tuple[int, int]:
    """Give the most bars that each side may have so that all together stay within the budget."""
    for limit, cells in _WAYS:
        if sum(count if count <= limit else cells for count in counts) <= BUDGET:
            return limit, cells
    return _WAYS[-1]


class _Reasons:
    """Says behind which jobs a run waited: those whose runs lie between its due time and its start."""

    def __init__(self, blocks: Iterable[Block], names: Mapping[int, str]) -> None:
        self._runs = sorted(
            ((block.started, block) for block in blocks if block.started and not block.is_away),
            key=lambda found: (found[0], found[1].due),
        )
        self._starts = [start for start, _block in self._runs]
        self._names = names

    def explained(self, block: Block, now: datetime) -> Block:
        """Give the block with the names of the jobs it waited behind."""
        if block.waited < _NOTED or block.behind or block.is_away:
            return block
        begun = block.began(now)
        first = max(0, bisect_left(self._starts, block.due) - 1)
        between = self._runs[first : bisect_left(self._starts, begun)]
        jobs = [other.job_id for _start, other in between if other is not block and other.until(now) > block.due]
        names = (self._names[job_id] for job_id in dict.fromkeys(jobs) if job_id in self._names)
        return replace(block, behind=tuple(names))


def _strip(
    job_id: int,
    name: str,
    sides: tuple[list[Block], list[Block]],
    window: Window,
    way: tuple[int, int],
    reasons: _Reasons,
) -> Strip:
    done, to_come = sides
    return Strip(
        job_id=job_id,
        name=name,
        done=_side(done, window, way, reasons),
        to_come=_side(to_come, window, way, reasons),
        runs=sum(block.count for block in done if block.status != Status.SKIPPED),
        failed=sum(block.count for block in done if block.is_failure),
        skips=sum(block.skips for block in done),
        planned=sum(block.count for block in to_come),
        longest=max((block.longest for block in done), default=ZERO),
        ran=sum((block.ran for block in done), ZERO),
    )


def _side(blocks: list[Block], window: Window, way: tuple[int, int], reasons: _Reasons) -> Side:
    limit, cells = way
    if _count(blocks) <= limit:
        ordered = sorted(blocks, key=lambda block: block.due)
        return Side(bars=tuple(reasons.explained(block, window.now) for block in ordered))
    return Side(profile=profile(blocks, window), cells=_cells(blocks, window, cells))


def _cells(blocks: Sequence[Block], window: Window, number: int) -> tuple[Cell, ...]:
    """Divide one side of a strip into this many parts of equal length; those without anything are left out."""
    is_to_come = blocks[0].is_to_come
    start, end = (window.present, window.end) if is_to_come else (window.start, window.present)
    length = (end - start) / number
    parts: dict[int, list[Block]] = defaultdict(list)
    for block in blocks:
        parts[min(max(0, (block.due - start) // length), number - 1) if length else 0].append(block)
    return tuple(
        _cell(parts[place], start + place * length, start + (place + 1) * length, is_to_come) for place in sorted(parts)
    )


def _cell(blocks: Sequence[Block], start: datetime, end: datetime, is_to_come: bool) -> Cell:
    return Cell(
        start=start,
        end=end,
        count=sum(block.count for block in blocks if block.status != Status.SKIPPED),
        failed=sum(block.count for block in blocks if block.is_failure),
        skips=sum(block.skips for block in blocks),
        due=min(block.due for block in blocks),
        last_due=max(block.last_due for block in blocks),
        longest=max(block.longest for block in blocks),
        ran=sum((block.ran for block in blocks), ZERO),
        is_to_come=is_to_come,
    )


def _worker(done: Sequence[Block], to_come: Sequence[Block], window: Window) -> Worker:
    past, future = busy(done, window), busy(to_come, window)
    passed = window.place(window.present)
    return Worker(
        done=past,
        to_come=future,
        share=min(1.0, sum(past) / len(past) / passed) if passed > 0 else None,
        share_to_come=min(1.0, sum(future) / len(future) / (1 - passed)) if passed < 1 else None,
    )
