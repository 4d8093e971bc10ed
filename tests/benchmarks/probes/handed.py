"""Lets many jobs with a queue run at once: ``rates KIND N ROUNDS``, ``fly N``, ``flown N``, ``left`` or ``parts``."""

import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

from . import answer, milliseconds, setup, wait_until

LIMIT = 900  # seconds until all must be done
CELERY_TASKS = {"noop": "noop", "nap": "nap", "outside-noop": "outside", "outside-nap": "outside_nap"}


def rates(kind: str, number: int, rounds: int) -> list[float]:
    """Give how many runs a second were done, of so many that are let go at once, in each round."""
    step = celery_round if os.environ["BENCH_SYSTEM"] == "plain" else bridge_round
    return [number / step(kind, number) for _ in range(rounds)]


def bridge_round(kind: str, number: int) -> float:
    """Give the seconds from the end of a hold until the last run is closed."""
    from scheduler_bridge import api

    first = ask(kind, number)
    before = time.perf_counter()
    api.resume()
    wait_until(lambda: not is_open(first), seconds=LIMIT, pause=0.02)
    taken = time.perf_counter() - before
    succeeded = asked(first).filter(status="succeeded").count()
    if succeeded != number:
        raise RuntimeError(f"expected {number} runs that succeeded, got {succeeded}")
    return taken


def ask(kind: str, number: int) -> int:
    """Ask for one run of so many jobs while nothing is started; give the first one's number."""
    from django.db import transaction

    from scheduler_bridge import api

    api.hold()
    with transaction.atomic():
        return min([api.run_now(f"crew.{kind}{one:05}").pk for one in range(number)])


def asked(first: int) -> Any:
    from scheduler_bridge.models import Run

    return Run.objects.filter(pk__gte=first)


def is_open(first: int) -> bool:
    return asked(first).filter(status__in=("queued", "running")).exists()


def celery_round(kind: str, number: int) -> float:
    """Give the seconds from sending the first task until the last result is in the database."""
    from django_celery_results.models import TaskResult
    from work import celery_tasks

    results = TaskResult.objects.filter(status="SUCCESS")
    task, done = getattr(celery_tasks, CELERY_TASKS[kind]), results.count() + number
    before = time.perf_counter()
    for _ in range(number):
        task.delay()
    wait_until(lambda: results.count() >= done, seconds=LIMIT, pause=0.02)
    return time.perf_counter() - before


def fly(number: int) -> float:
    """Give the seconds in which so many runs were handed over, from the end of a hold."""
    from scheduler_bridge import api

    first = ask("noop", number)
    before = time.perf_counter()
    api.resume()
    wait_until(lambda: not asked(first).filter(hand_tries=0).exists(), seconds=LIMIT, pause=0.1)
    return time.perf_counter() - before


def flown(number: int) -> float:
    """Give the seconds until so many more runs have ended."""
    from scheduler_bridge.models import Run

    ended = Run.objects.filter(status="succeeded")
    until = ended.count() + number
    before = time.perf_counter()
    wait_until(lambda: ended.count() >= until, seconds=LIMIT, pause=0.05)
    return time.perf_counter() - before


def left() -> int:
    """Give how many runs are handed over and wait."""
    from scheduler_bridge.models import Run

    return Run.objects.filter(status="queued", hand_at__isnull=False).count()


def parts() -> dict[str, list[float]]:
    """Give what each look of the runner at its tables takes."""
    from scheduler_bridge import history, registry

    reader = registry.Reader()
    return {
        "reload": milliseconds(lambda: registry.load(datetime.now(UTC)), 3),
        "first": milliseconds(lambda: reader.read_changed(datetime.now(UTC)), 1),
        "change": milliseconds(lambda: reader.read_changed(datetime.now(UTC)), 10),
        "queued": milliseconds(history.queued, 10),
        "ended": milliseconds(lambda: history.to_look_at(None), 10),
        "again": milliseconds(lambda: history.to_look_at(datetime.now(UTC)), 10),
        "signs": milliseconds(history.signs, 10),
        "lost": milliseconds(history.release_lost, 10),
    }


def main() -> None:
    setup()
    mode, *words = sys.argv[1:]
    if mode == "rates":
        answer(rates(words[0], int(words[1]), int(words[2])))
    elif mode in {"fly", "flown"}:
        answer({"fly": fly, "flown": flown}[mode](int(words[0])))
    else:
        answer({"left": left, "parts": parts}[mode]())


main()
