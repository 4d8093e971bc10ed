"""Foresees what the runner will do and sees what it does.

``warm TIMES NAME...``, ``follow SECONDS``, ``speed JOBS TIMES``. Runs are told by keys that both sides have: the job
and the fire time; for a chained run those of the first of its chain.
"""

import random
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from . import answer, setup, wait_until

AFTER = 10  # seconds in which the last runs end
GOES_ON = "goes on at the beginning"


def warm(times: int, names: list[str]) -> None:
    """Wait until each of these jobs has run so often."""
    from django.db.models import Count

    from scheduler_bridge.models import Run

    def warmed() -> bool:
        done = Run.objects.filter(job__app="crowd", finished_at__isnull=False)
        counts = dict(done.values_list("job__command").annotate(count=Count("pk")).order_by())
        return all(counts.get(name, 0) >= times for name in names)

    wait_until(warmed, seconds=900, pause=0.5)


def follow(seconds: int) -> dict[str, Any]:
    from scheduler_bridge import forecast

    now = datetime.now(UTC)
    until = now + timedelta(seconds=seconds)
    found = forecast.ahead(now, until)
    time.sleep(seconds + AFTER)
    real = real_runs(now, until)
    return {
        "foreseen": list(foreseen_runs(found.starts)),
        "real": [run for run in real if run[1] >= now.timestamp()],
        "busy_foreseen": found.busy,
        "busy_real": sum(overlap(run, now, until) for run in real) / seconds,
    }


def foreseen_runs(starts: Iterable[Any]) -> Iterable[tuple[Any, float, float]]:
    roots: dict[datetime, tuple[Any, ...]] = {}  # by the end of the last of each chain
    for start in starts:
        root = (start.name, moment(start.fire_time))
        if start.cause == "chain":
            root = roots.get(start.due, (GOES_ON,))
        roots[start.ends] = root
        yield (start.name, *root), start.starts.timestamp(), start.ends.timestamp()


def real_runs(now: datetime, until: datetime) -> list[tuple[Any, float, float]]:
    from scheduler_bridge.models import Run

    runs = {run.pk: run for run in Run.objects.select_related("job").defer("output")}
    found = [run for run in runs.values() if run.started_at and run.started_at < until and run.finished_at > now]
    return [
        ((run.job.name, *root_of(run, runs, now)), run.started_at.timestamp(), run.finished_at.timestamp())
        for run in found
    ]


def root_of(run: Any, runs: dict[int, Any], now: datetime) -> tuple[Any, ...]:
    while run.parent_id is not None:
        run = runs[run.parent_id]
        if run.started_at < now:
            return (GOES_ON,)
    return run.job.name, moment(run.scheduled_for)


def moment(value: datetime) -> float:
    """Give a moment that is the same however its microseconds were reckoned."""
    return round(value.timestamp(), 3)


def overlap(run: tuple[Any, float, float], now: datetime, until: datetime) -> float:
    return max(0.0, min(run[2], until.timestamp()) - max(run[1], now.timestamp()))


def speed(number: int, times: int) -> dict[str, Any]:
    """Simulate a day of intervals, times of day and cron triggers; give the CPU time that it took."""
    from scheduler_bridge import forecast

    now = datetime.now(UTC)
    loads = [mixed(place, now, random.Random(place)) for place in range(number)]
    seconds = []
    for _ in range(times):
        before = time.process_time()
        found = forecast.simulate(loads, now, now + timedelta(days=1))
        seconds.append(time.process_time() - before)
    return {"seconds": seconds, "starts": len(found.starts), "busy": found.busy}


def mixed(place: int, now: datetime, dice: random.Random) -> Any:
    from apscheduler.triggers.cron import CronTrigger

    from scheduler_bridge.forecast import Load, Stage
    from scheduler_bridge.schedules import Custom, DailyTimes, Interval
    from scheduler_bridge.triggers import to_trigger

    zone = ZoneInfo("Europe/Stockholm")
    if place % 10 < 6:
        schedule = Interval(timedelta(minutes=dice.choice([5, 10, 15, 30, 60, 120, 360])))
    elif place % 10 < 9:
        schedule = DailyTimes((datetime(2026, 1, 1, dice.randrange(24), dice.randrange(60)).time(),))
    else:
        schedule = Custom(CronTrigger(minute=dice.choice(["*/10", "5", "35"]), timezone=zone))
    trigger = to_trigger(schedule, zone, anchor=now - timedelta(seconds=dice.uniform(0, 300)))
    usual = timedelta(seconds=dice.uniform(0.1, 2))
    stages = (Stage(trigger=trigger, since=now),)
    return Load(job_id=place, name=f"job{place:04}", stages=stages, usual=usual)


def main() -> None:
    setup()
    mode, *words = sys.argv[1:]
    if mode == "warm":
        answer(warm(int(words[0]), words[1:]))
    elif mode == "follow":
        answer(follow(int(words[0])))
    else:
        answer(speed(int(words[0]), int(words[1])))


main()
