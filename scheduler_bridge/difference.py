"""What an output says that another one did not, leaving aside numbers and times; shown for a run that failed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .plain import ESCAPES, plain

LINES: Final = 2_000  # looked at, from the end, where an output says what went wrong
SIZE: Final = 64 * 1024  # characters of them
SHOWN: Final = 100
LONGEST: Final = 500  # characters of a line that is shown

# What differs from run to run and means nothing by itself: identifiers, addresses, numbers with dates and times.
_CHANCE: Final = re.compile(
    r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b(?=[a-f]*\d)[0-9a-f]{7,}\b|\d+(?:[.,:]\d+)*",
    re.IGNORECASE,
)
_DAYS: Final = re.compile(
    r"\b(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The lines of one output that another one has not."""

    lines: tuple[str, ...]  # plain, each kind of line once
    left_out: int  # further ones that are not shown
    is_all: bool  # nothing was in both


def compare(output: str, other: str) -> Difference:
    """Give the lines at the end of an output that are nowhere in another one."""
    known = {_essence(line) for line in other.splitlines()}
    found, total = list[str](), set[str]()
    for line in _end(output):
        essence = _essence(line)
        if essence and essence not in known and essence not in total:
            found.append(line)
        total.add(essence)
    return Difference(
        lines=tuple(plain(line)[:LONGEST] for line in found[:SHOWN]),
        left_out=max(0, len(found) - SHOWN),
        is_all=len(found) == len(total - {""}),
    )


def _end(output: str) -> Iterator[str]:
    """Give the last lines; where the first of them would be half a line, without it."""
    lines = output[-SIZE:].splitlines()
    yield from (lines if len(output) <= SIZE else lines[1:])[-LINES:]


def _essence(line: str) -> str:
    """Give what a line says, whenever it says it."""
    return " ".join(_DAYS.sub("#", _CHANCE.sub("#", ESCAPES.sub("", line))).split())
