"""Outcome: what an execution returns before it is recorded."""

from dataclasses import dataclass

from ..models import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run in processes of its own used, all of them together."""

    cpu_seconds: float
    peak_memory: int  # bytes, of the process that needed most


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an execution ended."""

    status: Status  # SUCCEEDED, FAILED, TIMED_OUT or CANCELLED
    exit_code: int | None  # as a shell sees it; negative: ended by that signal; None: unknown
    output: str
    reason: str = ""  # one line: how it failed
    warnings: tuple[str, ...] = ()  # what an internal job left behind, one sentence each
    usage: Usage | None = None  # None: unknown, or not told apart from the runner's own
