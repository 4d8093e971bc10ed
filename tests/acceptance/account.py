"""What is known of a job that the audit names: the folder in which it happened is seldom there any more."""

from collections.abc import Iterator
from typing import Final

from .evidence import Change, Evidence, Row

LAST: Final = 200  # rows that are told of at most


def account(evidence: Evidence, violation: str) -> Iterator[str]:
    """Say of each job that a violation names when its rule was changed, and which runs it had."""
    named = set(violation.replace(":", " ").split())
    for job in sorted(named & {change.job for change in evidence.changes}):
        yield from (told(change) for change in evidence.changes if change.job == job)
        yield from [recorded(row) for row in evidence.rows if row.job == job][-LAST:]


def told(change: Change) -> str:
    rule = change.rule
    when = f"every {rule.every}" if rule.every else f"{len(rule.at)} moments" if rule.at else "never"
    return f"    {change.job}, {when}: since {change.asked} to {change.done}"


def recorded(row: Row) -> str:
    what = f"run {row.id} {row.status} by {row.cause} for {row.scheduled_for} and {row.coalesced} before"
    return f"    {row.job}, {what}: {row.started_at} to {row.finished_at}"
