"""A part of the runner that dies, or hangs, once it has begun."""

import time
from collections.abc import Callable
from typing import Any

from scheduler_bridge import control, reporter, scheduler, worker

STEPS = {
    "loop": (scheduler.Scheduler, "_process_jobs"),
    "worker": (worker.OneWorker, "_take"),
    "control": (control.Control, "_turn"),
    "reports": (reporter.Reporter, "send"),
}


def install(part: str) -> None:
    """Let one part die at its second step, or the loop hang."""
    if part == "hang":  # else a machine that is busy for so long would end the runner before the part does
        control.SILENT_AFTER, control.STALLED_AFTER = 1.0, 4.0
    owner, name = STEPS["loop" if part == "hang" else part]
    setattr(owner, name, failing(getattr(owner, name), part))


def failing(step: Callable[..., Any], part: str) -> Callable[..., Any]:
    count = iter(range(100))

    def stepped(*values: Any) -> Any:
        if next(count) == 0:
            return step(*values)
        if part == "hang":
            time.sleep(60)
        raise ZeroDivisionError(f"the {part} died")

    return stepped
