"""Places in a run at which a test lets the runner stand still, to do something to it there."""

import importlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, Final

WANTED: Final = "stop-at"  # the file that names the point, or the point and the job
REACHED: Final = "reached"  # what it is called while a process stands there
PATIENCE: Final = 60.0  # seconds after which a process goes on by itself


def reach(point: str, job: str = "") -> None:
    """Stand still here if somebody wants it, until told to go on."""
    folder = Path(os.environ["SITE_FOLDER"])
    with suppress(FileNotFoundError):
        if (folder / WANTED).read_text() in {point, f"{point} {job}"}:
            (folder / WANTED).rename(folder / REACHED)  # which only one process can
            deadline = time.monotonic() + PATIENCE
            while (folder / REACHED).exists() and time.monotonic() < deadline:
                time.sleep(0.02)


def install() -> None:
    """Put the points around the steps of a run, once the site is set up."""
    from scheduler_bridge import engine, handing, history, lease, queues, served

    if os.environ.get("SITE_AHEAD"):
        importlib.import_module("scheduler_bridge.runner")  # with all that the runner consists of
        importlib.import_module("tests.acceptance.site.clock").install()
    if os.environ.get("SITE_AGAIN"):
        handing.AGAIN = queues.UNSERVED_AFTER = timedelta(seconds=float(os.environ["SITE_AGAIN"]))
        served.LATELY = float(os.environ["SITE_AGAIN"])
    if os.environ.get("SITE_APART"):
        lease.machine = lambda: f"the machine of {os.getpid()}"
    history.claim = around(history.claim, lambda firing: firing.name, "admitted", "claimed")
    history.close = around(history.close, lambda run: run.job.name, "executed", "closed")
    history.hand_over = around(history.hand_over, lambda firing: firing.name, "handing", "recorded")
    engine.send = around(engine.send, lambda task: "", "sending", "sent")
    history.handed = around(history.handed, lambda run: "", "noting", "noted")
    history.take_up = around(history.take_up, lambda firing: firing.name, "taking", "taken")
    history.told = around(history.told, lambda runs: "", "telling", "told")


def around(step: Callable[..., Any], job: Callable[[Any], str], before: str, after: str) -> Callable[..., Any]:
    @wraps(step)
    def stepped(subject: Any, *values: Any, **options: Any) -> Any:
        reach(before, job(subject))
        result = step(subject, *values, **options)
        reach(after, job(subject))
        return result

    return stepped
