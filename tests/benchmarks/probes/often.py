"""Asks for many runs of a job, a batch at a time, and waits for each batch: ``NAME COUNT``."""

import sys

from . import answer, setup, wait_until

BATCH = 500


def main() -> None:
    setup()
    name, count = sys.argv[1], int(sys.argv[2])
    for done in range(0, count, BATCH):
        run_all(ask(name, min(BATCH, count - done)))
    answer(count)


def ask(name: str, count: int) -> list[int]:
    """Queue so many runs at once."""
    from django.db import transaction

    from scheduler_bridge import api

    with transaction.atomic():
        return [api.run_now(name).pk for _ in range(count)]


def run_all(asked: list[int]) -> None:
    """Wait until these runs have succeeded.

    Raises:
        RuntimeError: one ended otherwise.
    """
    from scheduler_bridge.models import Run

    runs = Run.objects.filter(pk__gte=asked[0], pk__lte=asked[-1])
    wait_until(lambda: not runs.filter(status__in=("queued", "running")).exists(), pause=0.1)
    succeeded = runs.filter(status="succeeded").count()
    if succeeded != len(asked):
        raise RuntimeError(f"expected {len(asked)} runs that succeeded, got {succeeded}")


main()
