"""Puts schedules into the tables of a peer: ``tick`` one of every second, ``idle N`` so many of every day."""

import os
import sys
from datetime import UTC, datetime, timedelta

from . import answer, setup


def celery_every(period: str, names: list[str], task: str) -> None:
    from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

    schedule, _ = IntervalSchedule.objects.get_or_create(every=1, period=period)
    now = datetime.now(UTC)
    rows = [PeriodicTask(name=name, task=task, interval=schedule, last_run_at=now) for name in names]
    PeriodicTask.objects.bulk_create(rows)
    PeriodicTasks.update_changed()


def q2_daily(names: list[str]) -> None:
    from django_q.models import Schedule

    tomorrow = datetime.now(UTC) + timedelta(days=1)
    kind = Schedule.DAILY
    Schedule.objects.bulk_create(
        Schedule(name=name, func="work.tasks.noop", schedule_type=kind, next_run=tomorrow) for name in names
    )


def main() -> None:
    setup()
    mode, *words = sys.argv[1:]
    names = [f"job{number}" for number in range(int(words[0]))] if words else ["tick"]
    if os.environ["BENCH_SYSTEM"] == "q2":
        q2_daily(names)
    elif mode == "tick":
        celery_every("seconds", names, "tick")
    else:
        celery_every("days", names, "noop")
    answer(len(names))


main()
