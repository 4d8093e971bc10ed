"""Many blocks of one strip as what each column of it is mostly taken up by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import ceil
from typing import Final

from ..models import Status
from .blocks import Block
from .window import COLUMNS, Window

LEVELS: Final = (1 / 3, 2 / 3)  # between a little, much, and nearly all of a column
_LITTLE: Final = 1e-3  # of a column, for a run that took no time
WAITS: Final = (0.1, 0.5)  # the shares of a column from which on waiting is shown, and shown strongly

Stretch = tuple[int, int]  # the first column, and how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where a job waited a while or long, ran a little, much or nearly always, failed, and was skipped."""

    waited: tuple[tuple[Stretch, ...], ...]
    ran: tuple[tuple[Stretch, ...], ...]
    failed: tuple[Stretch, ...]
    skipped: tuple[Stretch, ...]


def profile(blocks: Iterable[Block], window: Window) -> Profile:
    """Draw these blocks together."""
    ran, waited, failed, skipped = ([0.0] * COLUMNS for _ in range(4))
    for block in blocks:
        begun, until = block.began(window.now), block.until(window.now)
        if block.status == Status.SKIPPED:
            first = block.due if block.folded else until
            _spread(skipped, first, until, (until - first).total_seconds(), window)
            continue
        _spread(waited, block.due, begun, block.waited.total_seconds(), window)
        if block.started is not None:
            _spread(failed if block.is_failure else ran, begun, until, block.ran.total_seconds(), window)
    return Profile(
        waited=_by_level([sum(share >= limit for limit in WAITS) for share in waited], 2),
        ran=_by_level([_level(share) for share in ran], 3),
        failed=_stretches([share > 0 for share in failed]),
        skipped=_stretches([share > 0 for share in skipped]),
    )


def busy(blocks: Iterable[Block], window: Window) -> tuple[float, ...]:
    """Give the share of each column in which one of these runs took place.

    A run whose process was gone is left out: nobody knows when it ended. So are those that were handed over.
    """
    columns = [0.0] * COLUMNS
    for block in blocks:
        if block.started is not None and block.status != Status.ABANDONED and not block.is_away:
            until = block.until(window.now)
            _spread(columns, block.started, until, block.ran.total_seconds(), window)
    return tuple(min(1.0, share) for share in columns)


def _spread(columns: list[float], start: datetime, end: datetime, seconds: float, window: Window) -> None:
    """Add a time of so many seconds, which lies somewhere from start to end, evenly to the columns between."""
    if end < window.start or start >= window.end:
        return
    width = window.span.total_seconds() / COLUMNS
    left = (start - window.start).total_seconds() / width
    right = max(left, (end - window.start).total_seconds() / width)
    density = min(1.0, seconds / width / (right - left)) if right > left else 1.0
    first, last = max(0, int(left)), min(COLUMNS, max(int(left) + 1, ceil(right)))
    for column in range(first, last):
        part = max(0.0, min(right, column + 1) - max(left, column))
        columns[column] += max(_LITTLE, part * density)


def _level(share: float) -> int:
    return 0 if share <= 0 else 1 + sum(share > limit for limit in LEVELS)


def _by_level(columns: Sequence[int], levels: int) -> tuple[tuple[Stretch, ...], ...]:
    return tuple(_stretches([value == level for value in columns]) for level in range(1, levels + 1))


def _stretches(columns: Sequence[bool]) -> tuple[Stretch, ...]:
    """Give the stretches of columns of which this is true."""
    found, place = [], 0
    for value, group in groupby(columns):
        length = sum(1 for _ in group)
        if value:
            found.append((place, length))
        place += length
    return tuple(found)
