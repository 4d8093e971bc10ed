"""Gives for each scheduled run of a job when it was begun and its fire time: ``NAME``."""

import sys

from . import answer, setup


def main() -> None:
    setup()
    from scheduler_bridge.models import Run

    rows = Run.objects.filter(job__name=sys.argv[1], cause="schedule", started_at__isnull=False)
    pairs = rows.values_list("started_at", "scheduled_for")
    answer([(started.timestamp(), due.timestamp()) for started, due in pairs])


main()
