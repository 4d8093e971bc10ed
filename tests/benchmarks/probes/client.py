"""Asks a running scheduler for work: ``latency TASK N``, ``throughput N TIMES``, ``backlog N TIMES`` or ``chain N``."""

import os
import random
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from . import answer, setup, wait_until
from .clients import Client, client

WARM_UP = 3


def latency(scheduler: Client, task: str, number: int) -> dict[str, list[float]]:
    """Give the milliseconds from asking until the result is seen in the database."""
    samples, tokens = [], []
    for _ in range(number + WARM_UP):
        before = time.perf_counter()
        tokens.append(scheduler.ask(task))
        wait_until(lambda: scheduler.is_saved(tokens[-1]))
        samples.append((time.perf_counter() - before) * 1000)
        # At any point of another's polling, not always just after it.
        time.sleep(random.uniform(0.05, 0.35))
    return {"total": samples[WARM_UP:], "run": run_times(tokens[WARM_UP:])}


def run_times(tokens: list[object]) -> list[float]:
    """Give what each run took by its own row, where there is one."""
    if os.environ["BENCH_SYSTEM"] != "bridge":
        return []
    from scheduler_bridge.models import Run

    rows = Run.objects.filter(pk__in=tokens).values_list("started_at", "finished_at")
    return [(finished - started) / timedelta(milliseconds=1) for started, finished in rows]


def throughput(scheduler: Client, number: int, times: int) -> list[float]:
    """Give the tasks a second, from asking for the first until the last is in the database."""
    token = scheduler.ask("noop")
    wait_until(lambda: scheduler.is_saved(token))
    return [rate(scheduler, number) for _ in range(times)]


def rate(scheduler: Client, number: int) -> float:
    done = scheduler.count_saved() + number
    before = time.perf_counter()
    for _ in range(number):
        scheduler.ask("noop")
    wait_until(partial(has_saved, scheduler, done), seconds=300, pause=0.02)
    return number / (time.perf_counter() - before)


def backlog(scheduler: Client, number: int, times: int) -> list[float]:
    """Give the runs a second when so many wait already; of ours alone, which can be held."""
    from scheduler_bridge import api

    samples = []
    for _ in range(times):
        done = scheduler.count_saved() + number
        api.hold()
        for _ in range(number):
            scheduler.ask("noop")
        before = time.perf_counter()
        api.resume()
        wait_until(partial(has_saved, scheduler, done), seconds=300, pause=0.02)
        samples.append(number / (time.perf_counter() - before))
    return samples


def has_saved(scheduler: Client, number: int) -> bool:
    return scheduler.count_saved() >= number


def chain(scheduler: Client, number: int) -> None:
    """Ask for chains, one after the other; what they write down is read by who asked."""
    for count in range(1, number + 1):
        scheduler.ask_chain()
        wait_until(partial(has_ended, count))
        time.sleep(random.uniform(0.05, 0.2))


def has_ended(count: int) -> bool:
    trace = Path(os.environ["BENCH_TRACE"])
    return trace.exists() and trace.read_text().count("tail") >= count


def main() -> None:
    setup()
    mode, *words = sys.argv[1:]
    if mode == "latency":
        answer(latency(client(), words[0], int(words[1])))
    elif mode in {"throughput", "backlog"}:
        step = {"throughput": throughput, "backlog": backlog}[mode]
        answer(step(client(), int(words[0]), int(words[1])))
    else:
        answer(chain(client(), int(words[0])))


main()
