"""django-apscheduler as its documentation shows it: a blocking scheduler, the jobs kept in the database.

``latency TASK N``, ``throughput N TIMES``, ``tick SECONDS``, ``idle JOBS`` and ``start JOBS``. Nobody outside this
process can ask it for work, so what asks is a thread in it.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from . import answer, setup_as_command, wait_until

WARM_UP = 3
FAR = timedelta(days=1)


class Peer:
    """The scheduler, and what has become of its jobs."""

    def __init__(self) -> None:
        from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_SCHEDULER_STARTED
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.blocking import BlockingScheduler
        from django_apscheduler.jobstores import DjangoJobStore

        self.scheduler = BlockingScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})
        self.scheduler.add_jobstore(DjangoJobStore(), "default")
        self.done: list[datetime] = []
        # Listeners are called in their order: at ours, the store has written its ledger.
        follow = self.scheduler.add_listener
        follow(lambda event: follow(self._executed, EVENT_JOB_EXECUTED), EVENT_SCHEDULER_STARTED)

    def _executed(self, event: Any) -> None:
        self.done.append(event.scheduled_run_time)

    def add(self, task: str, name: str, **values: Any) -> None:
        given = {"trigger": "interval", "days": 1, "max_instances": 1, "replace_existing": True, **values}
        self.scheduler.add_job(f"work.tasks:{task}", id=name, **given)

    def run(self, drive: Callable[[], object]) -> None:
        """Be the scheduler while a thread drives it; then end, whatever it is doing."""
        threading.Thread(target=self._drive, args=[drive], daemon=True).start()
        self.scheduler.start()

    def _drive(self, drive: Callable[[], object]) -> None:
        time.sleep(1)
        try:
            answer(drive())
            code = 0
        except TimeoutError as error:
            answer({"failed": str(error)})
            code = 0
        sys.stdout.flush()
        os._exit(code)

    def has_done(self, number: int) -> bool:
        return len(self.done) >= number

    def ask(self, name: str) -> None:
        self.scheduler.modify_job(name, next_run_time=datetime.now(UTC))


def latency(peer: Peer, task: str, number: int) -> dict[str, list[float]]:
    """Give the milliseconds from making a job due until its ledger is written."""
    samples = []
    for count in range(1, number + WARM_UP + 1):
        before = time.perf_counter()
        peer.ask(task)
        wait_until(partial(peer.has_done, count), seconds=30)
        samples.append((time.perf_counter() - before) * 1000)
        time.sleep(random.uniform(0.05, 0.35))
    return {"total": samples[WARM_UP:], "run": []}


def throughput(peer: Peer, number: int, times: int) -> list[float]:
    """Give the jobs a second when so many fall due at once."""
    return [rate(peer, number) for _ in range(times)]


def rate(peer: Peer, number: int) -> float:
    target = len(peer.done) + number
    due = datetime.now(UTC) + timedelta(seconds=5 + number / 50)
    for count in range(number):
        peer.scheduler.modify_job(f"noop{count}", next_run_time=due)
    wait_until(lambda: datetime.now(UTC) >= due, pause=0.001)
    before = time.perf_counter()
    wait_until(partial(peer.has_done, target), seconds=60)
    return number / (time.perf_counter() - before)


def tick(peer: Peer, seconds: int) -> list[float]:
    """Give the fire times of a job of every second."""
    time.sleep(seconds)
    return [moment.timestamp() for moment in peer.done]


def main() -> None:
    setup_as_command()
    mode, *words = sys.argv[1:]
    peer = Peer()
    if mode == "latency":
        peer.add(words[0], words[0])
        peer.run(lambda: latency(peer, words[0], int(words[1])))
    elif mode == "throughput":
        for count in range(int(words[0])):
            # With its own grace of one second most of those that wait would be dropped.
            peer.add("noop", f"noop{count}", misfire_grace_time=None)
        peer.run(lambda: throughput(peer, int(words[0]), int(words[1])))
    elif mode == "tick":
        peer.add("tick", "tick", days=0, seconds=1)
        peer.run(lambda: tick(peer, int(words[0])))
    else:
        stay(peer, int(words[0]), mode)


def stay(peer: Peer, number: int, mode: str) -> None:
    """Add so many jobs of every day and stay until ended; for ``start`` one more is due at once."""
    for count in range(number):
        peer.add("noop", f"noop{count}", start_date=datetime.now(UTC) + FAR)
    if mode == "start":
        peer.add("tick", "tick", next_run_time=datetime.now(UTC), misfire_grace_time=None)
    peer.scheduler.start()


main()
