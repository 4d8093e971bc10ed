"""Outcome: what an execution returns before it is recorded."""

from dataclasses import dataclass

from ..models import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an execution ended."""

    status: Status  # SUCCEEDED, FAILED, TIMED_OUT or CANCELLED
    exit_code: int | None  # as a shell sees it; negative: ended by that signal; None: unknown
    output: str
    reason: str = ""  # one line: how it failed
    warnings: tuple[str, ...] = ()  # what an internal job left behind, one sentence each
