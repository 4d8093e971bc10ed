"""Programs that run inside the measured project, each in a process of its own; the last line they print is JSON."""

import json
import time
from collections.abc import Callable
from typing import Any

import django


def setup() -> None:
    """Load the project."""
    django.setup()


def setup_as_command() -> None:
    """Load the project and check it, as manage.py does for its commands: that loads the URLs and views too."""
    from django.core.checks import run_checks

    django.setup()
    run_checks()


def answer(value: Any) -> None:
    """Hand the result back."""
    print(json.dumps(value), flush=True)


def milliseconds(step: Callable[[], object], times: int) -> list[float]:
    """Do a step so many times and give what each took."""
    samples = []
    for _ in range(times):
        before = time.perf_counter()
        step()
        samples.append((time.perf_counter() - before) * 1000)
    return samples


def wait_until(what: Callable[[], object], seconds: float = 120, pause: float = 0.002) -> None:
    """Ask again and again until something holds.

    Raises:
        TimeoutError: it did not within these seconds.
    """
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain")
        time.sleep(pause)
