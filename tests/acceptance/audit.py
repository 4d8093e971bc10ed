"""What should have happened, computed without the scheduler, held against what the tables, mails and processes say.

What a job did is known from a trace that the jobs write themselves; when it should have run, from its schedule and
from the account of everybody who changed it.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import floor

from .account import account
from .evidence import Change, Evidence, Row
from .executions import executions, overlaps

FAILURES = ("failed", "timed_out", "abandoned")
OPEN = ("queued", "running")
EXECUTED = "Executed"
# Until a runner has heard of a change, the rule before it may still give a fire time: a second where it is asked for,
# some more after an outage.
HEARD = timedelta(seconds=5)
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Grid:
    """The fire times of an interval: one of them, and the step to the others."""

    known: datetime
    every: timedelta
    is_sure: bool = True  # else its fire times are no more than possible
    until: datetime = datetime.max.replace(tzinfo=UTC)  # the last moment at which its rule may give one

    def has(self, moment: datetime) -> bool:
        return (moment - self.known) % self.every == timedelta(0)


def audit(evidence: Evidence) -> tuple[str, ...]:
    """Give each promise that was broken, with what is known of the jobs it names; none is what is hoped for."""
    checks = (coverage, open_rows, doubles, executions, overlaps, mails, ledger, chains, asked_for, left_over)
    found = (f"{check.__name__}: {line}" for check in checks for line in check(evidence))
    return tuple("\n".join([line, *account(evidence, line)]) for line in found)


def coverage(evidence: Evidence) -> Iterator[str]:
    """Each fire time is covered by exactly one run."""
    by_job: dict[str, list[Change]] = defaultdict(list)
    for change in sorted(evidence.changes, key=lambda change: change.done):
        by_job[change.job].append(change)
    for job, changes in by_job.items():
        rows = [row for row in evidence.rows if row.job == job and row.cause == "schedule"]
        yield from covered(job, changes, sorted(rows, key=lambda row: row.id))


def covered(job: str, changes: Sequence[Change], rows: Sequence[Row]) -> Iterator[str]:
    certain: list[datetime] = []
    possible: list[datetime] = []  # due while the rule was changed: by the old one, by the new one, or not at all
    for change, following, grid in grids(changes, rows):
        yield from silent(change, following, grid, rows)
        for moment in moments(change, following, grid):
            is_certain = change.done < moment <= following.asked and (grid is None or grid.is_sure)
            (certain if is_certain else possible).append(moment)
    certain.sort()
    possible.sort()
    total = 0
    for row in rows:
        total += row.coalesced + 1
        if row.status == "skipped":
            continue  # skips alike share the row of the first, which counts on
        least = bisect_right(certain, row.scheduled_for)
        most = least + bisect_right(possible, row.scheduled_for)
        if row.scheduled_for not in certain and row.scheduled_for not in possible:
            yield f"{job}: run {row.id} is for {row.scheduled_for}, which is no fire time"
        if not least <= total <= most:
            yield f"{job}: {total} fire times are covered up to run {row.id}, expected {least} to {most}"
            total = least
    if not len(certain) <= total <= len(certain) + len(possible):
        yield f"{job}: {total} fire times are covered, expected {len(certain)} to {len(certain) + len(possible)}"


def silent(change: Change, following: Change, grid: Grid | None, rows: Sequence[Row]) -> Iterator[str]:
    """Find a rule of which nothing was seen though it held for longer than its interval."""
    every = change.rule.every
    if every is None or grid is not None:
        return
    # What was seen then is a fire time of the rule before, and may be one of this as well.
    last = max((row.scheduled_for for row in within(rows, change.done, following.asked)), default=change.done)
    if following.asked - last > every:
        yield f"{change.job}: no run between {last} and {following.asked}, expected one every {every}"


def within(rows: Sequence[Row], begin: datetime, end: datetime) -> list[Row]:
    return [row for row in rows if begin < row.scheduled_for <= end]


def moments(change: Change, following: Change, grid: Grid | None) -> list[datetime]:
    """Give the fire times of a rule from when it may have begun to hold until everybody knows that it does not."""
    end = following.done + HEARD
    if change.rule.every is None:
        return [moment for moment in change.rule.at if change.asked < moment <= end]
    if grid is None:
        return []
    first = grid.known - floor((grid.known - change.asked) / grid.every) * grid.every
    first += grid.every if first <= change.asked else timedelta(0)
    return [first + number * grid.every for number in range(max(0, floor((end - first) / grid.every) + 1))]


def grids(changes: Sequence[Change], rows: Sequence[Row]) -> Iterator[tuple[Change, Change, Grid | None]]:
    """Give each rule that was followed by another, and its grid as far as that is known."""
    spans = list(pairwise(changes))
    found: list[Grid | None] = []
    known: list[Grid | None] = [None]  # before each rule, the last grid of which something was seen
    for change, following in spans:
        grid = found_grid(change, following, rows, known[-1])
        found.append(grid)
        known.append(replace(grid, until=following.done + HEARD) if grid else known[-1])
    for (change, following), grid, before, after in zip(spans, found, known, [*found[1:], None], strict=False):
        if grid is None and change.rule.every is not None:
            is_last = following is changes[-1]
            yield change, following, unseen_grid(change, following, rows, before, after, is_last=is_last)
        else:
            yield change, following, grid


def found_grid(change: Change, following: Change, rows: Sequence[Row], before: Grid | None) -> Grid | None:
    """Find one fire time of this rule, not of the one before it: its grid hangs on the last one of that.

    A rule with the same interval goes on in the same grid, whatever came between.
    """
    if change.rule.every is None:
        return None
    goes_on = before is not None and before.every == change.rule.every
    own = within(rows, change.done, following.asked)
    found = [row.scheduled_for for row in own if goes_on or not is_old(row, before)]
    if not found:
        return before if goes_on else None
    # The rule before gives none any more when everybody has heard of this one.
    return Grid(next((moment for moment in found if moment > change.done + HEARD), found[0]), change.rule.every)


def is_old(row: Row, before: Grid | None) -> bool:
    """Tell whether a run may be one of the rule before."""
    return before is not None and before.has(row.scheduled_for) and row.scheduled_for <= before.until


def unseen_grid(
    change: Change, following: Change, rows: Sequence[Row], before: Grid | None, after: Grid | None, *, is_last: bool
) -> Grid | None:
    """Find the grid of a rule that was changed before a run of it was seen, by what came at both changes.

    Args:
        is_last: no rule follows that could have given what came then.
    """
    every = change.rule.every
    if after is not None and after.every == every:
        return after
    for row in within(rows, change.asked, following.done + HEARD):
        is_later = after is not None and row.scheduled_for > following.asked and after.has(row.scheduled_for)
        if not is_old(row, before) and not is_later:
            return Grid(row.scheduled_for, every, is_sure=is_last or row.scheduled_for <= change.done)
    if any(is_counted_on(row, change.done, following.asked) for row in rows) or is_owed_to(change, following, rows):
        return Grid(change.asked + TICK, every, is_sure=False)  # it has so many at most, wherever they are
    return None


def is_owed_to(change: Change, following: Change, rows: Sequence[Row]) -> bool:
    """Tell whether the first run after a rule may count all that the rule had."""
    later = next((row for row in rows if row.scheduled_for > following.asked), None)
    return later is not None and later.coalesced >= max(1, (following.asked - change.done) // change.rule.every)


def is_counted_on(row: Row, begin: datetime, end: datetime) -> bool:
    """Tell whether a skip may stand for others of its kind in this span, which leave no row of their own."""
    return (
        row.status == "skipped" and row.scheduled_for <= end and row.finished_at is not None and row.finished_at > begin
    )


def open_rows(evidence: Evidence) -> Iterator[str]:
    """Nothing waits and nothing runs any more."""
    for row in evidence.rows:
        if row.status in OPEN:
            yield f"{row.job}: run {row.id} is still {row.status}"


def doubles(evidence: Evidence) -> Iterator[str]:
    """No run is closed twice, and none is opened again."""
    closed = Counter(run for run, _, after in evidence.transitions if after not in OPEN)
    for run, times in closed.items():
        if times > 1:
            yield f"run {run} was closed {times} times"
    for run, before, after in evidence.transitions:
        if before not in OPEN:
            yield f"run {run} was {before} and became {after}"


def mails(evidence: Evidence) -> Iterator[str]:
    """Each failure was mailed, or is to be: a server may have refused it."""
    mailed = set(evidence.mailed)
    for row in evidence.rows:
        if row.status in FAILURES and row.id not in mailed and not row.is_postponed:
            yield f"{row.job}: no mail about run {row.id}, which {row.status}; its report is {row.report!r}"


def ledger(evidence: Evidence) -> Iterator[str]:
    """The ledger says of each run what the history says."""
    said = {(item.job, item.fire_time): item.status for item in evidence.ledger}
    for row in evidence.rows:
        if row.started_at is None or row.status in OPEN:
            continue
        status = said.pop((row.job, row.scheduled_for), "nothing")
        if (status == EXECUTED) != (row.status == "succeeded") or status == "nothing":
            yield f"{row.job}: run {row.id} {row.status}, the ledger says {status}"
    for (job, fire_time), status in said.items():
        yield f"{job}: the ledger says {status} at {fire_time}, the history nothing"


def chains(evidence: Evidence) -> Iterator[str]:
    """What follows a run follows it once, and follows nothing else."""
    found: dict[int, list[str]] = defaultdict(list)
    for row in evidence.rows:
        if row.parent is not None:
            found[row.parent].append(row.job)
    for row in evidence.rows:
        wanted = evidence.followers.get(row.job, ()) if row.status == "succeeded" else ()
        if sorted(wanted) != sorted(found[row.id]):
            yield f"{row.job}: run {row.id} {row.status}, expected {list(wanted)} after it, got {found[row.id]}"


def asked_for(evidence: Evidence) -> Iterator[str]:
    """What somebody asked for is there."""
    known = {row.id for row in evidence.rows}
    for run in evidence.asked:
        if run not in known:
            yield f"run {run} was asked for and is gone"


def left_over(evidence: Evidence) -> Iterator[str]:
    """No process of a job is left."""
    yield from evidence.processes
