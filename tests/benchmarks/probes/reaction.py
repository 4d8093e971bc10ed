"""Asks and changes, and says how long the runner took: ``ask N`` or ``change N``."""

import random
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from . import answer, setup, wait_until

JOB = "work.inside"
SECOND = timedelta(seconds=1)
LEAD = 0.010  # seconds between saving an override and its first fire time
WARM_UP = 2
TRIES = 4  # for each sample


def ask() -> float:
    """Ask for a run and give the milliseconds until it started."""
    from scheduler_bridge import api
    from scheduler_bridge.models import Run

    before = datetime.now(UTC)
    run = api.run_now(JOB)
    wait_until(lambda: Run.objects.filter(pk=run.pk, status="succeeded").exists(), pause=0.05)
    return (Run.objects.get(pk=run.pk).started_at - before) / timedelta(milliseconds=1)


def change() -> float | None:
    """Let a job run every second, just before a fire time of that grid; give the milliseconds until it started.

    None when saving took so long that the fire time was over and the next one was meant.
    """
    from scheduler_bridge.models import Job

    row = Job.objects.get(name=JOB)
    anchor = (row.last_fire_at or row.created_at).timestamp()
    time.sleep((anchor - time.time() - LEAD) % 1)
    before = datetime.now(UTC)
    override(SECOND)
    runs = job_runs(before)
    wait_until(runs.exists, pause=0.02)
    started, due = runs.order_by("id").values_list("started_at", "scheduled_for")[0]
    override(None)
    time.sleep(2.5)  # until the runner has taken that back too
    return (started - before) / timedelta(milliseconds=1) if due - before < SECOND / 2 else None


def job_runs(since: datetime) -> Any:
    from scheduler_bridge.models import Run

    return Run.objects.filter(job__name=JOB, cause="schedule", started_at__gte=since)


def override(interval: timedelta | None) -> None:
    """Save the job as the admin does."""
    from scheduler_bridge.models import Job

    row = Job.objects.get(name=JOB)
    row.override_interval = interval
    row.save()


def main() -> None:
    setup()
    step, number = {"ask": ask, "change": change}[sys.argv[1]], int(sys.argv[2])
    samples: list[float] = []
    for _ in range(TRIES * number + WARM_UP):
        time.sleep(random.uniform(0, 1))
        sample = step()
        samples += [] if sample is None else [sample]
        if len(samples) == number + WARM_UP:
            break
    answer(samples[WARM_UP:])


main()
