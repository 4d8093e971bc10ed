"""Times one run of an internal job in this process, its parts, and the floor below it: ``N``.

All of it in a thread, as the runner's worker does.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from . import answer, milliseconds, setup

WARM_UP = 5


def main() -> None:
    setup()
    with ThreadPoolExecutor(1) as pool:
        answer(pool.submit(measured, int(sys.argv[1])).result())


def measured(number: int) -> dict[str, Any]:
    from scheduler_bridge.discovery import discover

    place = workplace()
    perform, skip = performer("work.inside", place), performer("work.asking", place)
    ask = discover().definitions["work.asking"].should_run
    return {
        "perform": timed(perform, number),
        "skip": timed(skip, number),
        "check": timed(ask, number),
        "statements": statements(perform),
        "skip_statements": statements(skip),
        **floors(number),
    }


def timed(step: Callable[[], object], number: int) -> list[float]:
    return milliseconds(step, number + WARM_UP)[WARM_UP:]


def performer(name: str, place: Any) -> Callable[[], object]:
    """Give what runs this job once, as the runner's worker does, with a fire time of its own each time."""
    from scheduler_bridge import run
    from scheduler_bridge.history import Firing
    from scheduler_bridge.models import Cause, Job

    job_id = Job.objects.get(name=name).pk

    def perform() -> object:
        firing = Firing(job_id=job_id, name=name, cause=Cause.SCHEDULE, fire_time=datetime.now(UTC))
        return run.perform(firing, place)

    return perform


def workplace() -> Any:
    """Give a workplace as the runner has it; this process takes the lease for it."""
    from scheduler_bridge import lease
    from scheduler_bridge.books import RunnersBooks
    from scheduler_bridge.execution.origin import Origin
    from scheduler_bridge.execution.spawner import Spawner
    from scheduler_bridge.run import Workplace

    me = lease.Identity.mine()
    lease.acquire(me, lease.holder(), datetime.now(UTC))
    return Workplace(
        books=RunnersBooks(me),
        spawner=Spawner(Origin.from_process(), "exec"),
        stop=lambda: None,
        stopping=lambda: False,
        entered=lambda run, internal: None,
    )


def statements(step: Callable[[], object]) -> int:
    """Count the statements of one step, BEGIN and COMMIT included.

    Django's own log of statements is read, since a run takes away the wrappers that it finds on a connection.
    """
    from django.db import connection

    connection.force_debug_cursor = True
    connection.queries_log.clear()
    try:
        step()
        return len(connection.queries_log)
    finally:
        connection.force_debug_cursor = False


def floors(number: int) -> dict[str, list[float]]:
    """Time the command by itself, and one INSERT and one UPDATE that are committed each."""
    from django.core.management import call_command
    from work.models import Entry

    rows = Entry.objects.filter(pk=Entry.objects.create(text="first").pk)
    # Another value each time: a database may leave out a change that changes nothing.
    texts = map(str, count())
    return {
        "call_command": timed(lambda: call_command("inside"), number),
        "insert": timed(lambda: Entry.objects.create(text="one"), number),
        "update": timed(lambda: rows.update(text=next(texts)), number),
    }


@contextmanager
def watched(module: Any, name: str, samples: list[float]) -> Any:
    """Time each call of a function of a module."""
    real = getattr(module, name)

    def call(*words: Any, **values: Any) -> Any:
        given: list[Any] = []
        samples.extend(milliseconds(lambda: given.append(real(*words, **values)), 1))
        return given[0]

    setattr(module, name, call)
    try:
        yield
    finally:
        setattr(module, name, real)


if __name__ == "__main__":
    main()
