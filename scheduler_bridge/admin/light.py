"""How a job stands, in one word and one sign: what the light beside its name says."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from ..models import FAILURES, Job, Status
from ..past import PastRun


class State(StrEnum):
    """How a job stands; the first that fits is said."""

    REMOVED = "removed"
    BROKEN = "broken"
    RUNNING = "running"
    FAILING = "failing"
    DISABLED = "disabled"
    WAITING = "waiting"
    DEALT_WITH = "dealt_with"
    CANCELLED = "cancelled"
    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    NEVER = "never"


WORDS: Final = {
    State.REMOVED: gettext_lazy("removed"),
    State.BROKEN: gettext_lazy("broken"),
    State.RUNNING: gettext_lazy("running"),
    State.FAILING: gettext_lazy("failing"),
    State.DISABLED: gettext_lazy("disabled"),
    State.WAITING: gettext_lazy("waiting"),
    State.DEALT_WITH: gettext_lazy("failed, dealt with"),
    State.CANCELLED: gettext_lazy("cancelled"),
    State.SUCCEEDED: gettext_lazy("succeeded"),
    State.SKIPPED: gettext_lazy("skipped"),
    State.NEVER: gettext_lazy("never ran"),
}
# Drawn in a square of 16, so that no two lights differ by their colour alone.
_SIGNS: Final = {
    State.REMOVED: "M5 5l6 6M11 5l-6 6",
    State.BROKEN: "M5 5l6 6M11 5l-6 6",
    State.RUNNING: "M6.5 4.7l5 3.3l-5 3.3z",
    State.FAILING: "M8 4v5M8 11.6v.4",
    State.DISABLED: "M6.2 5v6M9.8 5v6",
    State.WAITING: "M8 4.3v4l2.6 1.6",
    State.DEALT_WITH: "M8 4v5M8 11.6v.4",
    State.CANCELLED: "M5 8h6",
    State.SUCCEEDED: "M4.8 8.3l2.2 2.2l4.3-4.7",
    State.SKIPPED: "M5 5l3 3l-3 3M8.5 5l3 3l-3 3",
    State.NEVER: "M8 8v.1",
}


def state(job: Job, runs: Sequence[PastRun], now: datetime) -> State:
    """Say how a job stands, by its row and its last runs, the newest first."""
    if job.removed_at is not None:
        return State.REMOVED
    if job.broken:
        return State.BROKEN
    if any(run.status == Status.RUNNING for run in runs):
        return State.RUNNING
    if job.failing_since is not None:
        return State.FAILING
    if not job.enabled:
        return State.DISABLED
    if is_waiting(job, runs, now):
        return State.WAITING
    return _ended(runs)


def is_waiting(job: Job, runs: Sequence[PastRun], now: datetime) -> bool:
    """Tell whether a run of this job is due, by its schedule or because somebody asked."""
    is_due = job.next_run_at is not None and job.next_run_at <= now
    return is_due or any(run.status == Status.QUEUED and run.scheduled_for <= now for run in runs)


def lamp(found: State) -> SafeString:
    """Give the light, with its word for those who do not see it."""
    return format_html(
        '<span class="sb-light sb-{}" role="img" aria-label="{}" title="{}"><svg viewBox="0 0 16 16" '
        'aria-hidden="true"><circle cx="8" cy="8" r="7"/><path d="{}"/></svg></span>',
        found,
        WORDS[found],
        WORDS[found],
        _SIGNS[found],
    )


def _ended(runs: Sequence[PastRun]) -> State:
    """Say how the last run ended that was not skipped."""
    ended = [run.status for run in runs if run.finished_at is not None]
    last = next((status for status in ended if status != Status.SKIPPED), None)
    if last is None:
        return State.SKIPPED if ended else State.NEVER
    if last in FAILURES:
        return State.DEALT_WITH
    return State.CANCELLED if last == Status.CANCELLED else State.SUCCEEDED
