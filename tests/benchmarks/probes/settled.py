"""Waits until no run of a job is open and gives the status of its last one: ``NAME``."""

import sys

from . import answer, setup, wait_until


def main() -> None:
    setup()
    from scheduler_bridge.models import Run

    runs = Run.objects.filter(job__name=sys.argv[1])
    wait_until(lambda: not runs.filter(status__in=("queued", "running")).exists(), pause=0.05)
    answer(runs.order_by("-id").values_list("status", flat=True).first())


main()
