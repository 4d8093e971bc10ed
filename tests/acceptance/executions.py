"""What the jobs executed, as they wrote it down themselves, held against what the history says of it."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

from .evidence import Evidence, Mark, Row

ENDLESS = datetime(9000, 1, 1, tzinfo=UTC)
CLOCK = timedelta(microseconds=5)  # the trace is rounded to microseconds


@dataclass(frozen=True, slots=True)
class Span:
    """One execution as the job saw it."""

    job: str
    marker: str
    begins: datetime
    ends: datetime  # the last sign of life
    is_whole: bool


class Started:
    """The rows of one job that say they were started, to be asked for one among ten thousand."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = sorted((row for row in rows if row.started_at), key=lambda row: row.started_at)
        self._starts = [row.started_at for row in self._rows]
        # The last end of a row and all before it: behind an earlier one there is nothing that still went on.
        self._ends = list(accumulate((row.finished_at or ENDLESS for row in self._rows), max))

    def around(self, span: Span) -> list[Row]:
        """Give the rows by whose times this may be their execution."""
        place, found = bisect_right(self._starts, span.begins + CLOCK), []
        while place and span.begins <= self._ends[place - 1] + CLOCK:
            place -= 1
            found.append(self._rows[place])
        return found


def executions(evidence: Evidence) -> Iterator[str]:
    """Each execution has its row, and each row that says it ended by itself was executed once."""
    found: dict[int, list[Span]] = defaultdict(list)
    rows: dict[str, list[Row]] = defaultdict(list)
    marked: dict[str, list[Row]] = defaultdict(list)
    for row in evidence.rows:
        rows[row.job].append(row)
        marked[row.marker].append(row)
    started = {job: Started(of_job) for job, of_job in rows.items()}
    for span in spans(evidence.marks):
        near = marked[span.marker] if span.marker else started.get(span.job, Started(())).around(span)
        owners = [row for row in near if belongs(span, row)]
        if len(owners) != 1:
            yield f"{span.job}: executed at {span.begins}, expected one run for it, got {[row.id for row in owners]}"
        for row in owners:
            found[row.id].append(span)
    for row in evidence.rows:
        yield from executed(row, found[row.id])


def executed(row: Row, found: Sequence[Span]) -> Iterator[str]:
    if row.status == "succeeded" and [span.is_whole for span in found] != [True]:
        yield f"{row.job}: run {row.id} succeeded, expected one whole execution, got {len(found)}"
    elif row.status == "skipped" and found:
        yield f"{row.job}: run {row.id} was skipped but executed at {found[0].begins}"
    elif len(found) > 1:
        yield f"{row.job}: run {row.id} was executed {len(found)} times"


def belongs(span: Span, row: Row) -> bool:
    if row.job != span.job:
        return False
    if span.marker:
        return row.marker == span.marker
    if row.started_at is None:
        return False
    return row.started_at - CLOCK <= span.begins and (row.finished_at is None or span.begins <= row.finished_at + CLOCK)


def spans(marks: Sequence[Mark]) -> list[Span]:
    """Give what was executed, in the order of the starts."""
    by_token: dict[str, list[Mark]] = defaultdict(list)
    for mark in marks:
        by_token[mark.token].append(mark)
    found = [
        Span(
            job=group[0].job,
            marker=group[0].marker,
            begins=min(mark.moment for mark in group),
            ends=max(mark.moment for mark in group),
            is_whole={"start", "end"} <= {mark.word for mark in group},
        )
        for group in by_token.values()
    ]
    return sorted(found, key=lambda span: span.begins)


def overlaps(evidence: Evidence) -> Iterator[str]:
    """No two jobs are executed at once by the runner, and no job twice at once anywhere."""
    away = {row.marker for row in evidence.rows if row.queue and row.marker}
    places: dict[str, list[Span]] = defaultdict(list)
    for span in spans(evidence.marks):
        places[span.job].append(span)
        if span.marker not in away:
            places["the runner"].append(span)
    for found in places.values():
        yield from overlapping(found)


def overlapping(found: Sequence[Span]) -> Iterator[str]:
    """Find those that begin before another, which began earlier, has ended."""
    for before, after in pairwise(sorted(found, key=lambda span: span.begins)):
        if after.begins < before.ends - CLOCK:
            yield f"{after.job} began at {after.begins}, while {before.job} was alive until {before.ends}"
