"""Many workers: how much is done with one, two, four and eight, and what the runner pays for it."""

import compileall
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from . import broker, flight
from .bench import Bench
from .crews import CREWS, Crew, placed
from .figures import Figure, absent, sampled, spanned
from .generator import write_crew
from .place import Place
from .processes import Process, cpu_of
from .proxy import CountingProxy

TITLE = "Scale: runs that are handed over"
WORKERS = (1, 2, 4, 8)
MOST = 120  # runs of one round
KINDS = {"noop": "no-op jobs", "nap": "jobs of 200 ms"}
RATE = "{kind}, external, runs a second"
COSTS = (
    "no-op jobs: the runner's own CPU per run",
    "no-op jobs: statements of the runner per run",
    "no-op jobs: statements of the workers per run",
)
LOAD = "load average of the machine before, one minute"
HOW = "let go at once, until the last one is recorded as ended; median of rounds, least and most"


def measure(bench: Bench) -> Iterator[Figure]:
    if "postgres" not in bench.engines or not broker.program():
        yield absent(TITLE, "-", "needs PostgreSQL and redis-server")
        return
    jobs = write_crew(bench.folder / "jobs", dict.fromkeys(KINDS, MOST))
    for folder in (bench.site, jobs):
        compileall.compile_dir(folder, quiet=1)  # as installed: no run of a job is to compile it
    for crew in CREWS:
        if crew.is_there:
            yield from measured(bench, crew, jobs)
        else:
            yield absent(RATE.format(kind=KINDS["noop"]), crew.who, f"needs {crew.module}", database=column(1))
    yield from flight.measure(bench)


def measured(bench: Bench, crew: Crew, jobs: Path) -> Iterator[Figure]:
    """Give the rates of one system with each number of workers, and what the runner paid."""
    proxies = CountingProxy(), CountingProxy()
    with placed(bench, crew, jobs) as place:
        runner = place.start(BENCH_PORT=str(proxies[0].port)) if crew.system == "bridge" else []
        for workers in WORKERS if crew.command else (1,):
            crew.start(place, workers, BENCH_PORT=str(proxies[1].port))
            warm(place, crew, workers)
            yield sampled(LOAD, crew.who, [os.getloadavg()[0]], "", database=column(workers))
            for kind in KINDS:
                yield from one(bench, place, crew, kind, workers, runner, proxies)
            stop_workers(place, len(runner))
    for proxy in proxies:
        proxy.close()


def warm(place: Place, crew: Crew, workers: int) -> None:
    """Let each worker do some runs: the first ones load the project for those that follow."""
    number, rounds = (workers, 1) if crew.starts_anew else (4 * workers, 2)
    place.probe("handed", "rates", f"{crew.prefix}nap", number, rounds)


def stop_workers(place: Place, kept: int) -> None:
    while len(place.processes) > kept:
        place.processes.pop().stop()


def one(
    bench: Bench,
    place: Place,
    crew: Crew,
    kind: str,
    workers: int,
    runner: list[Process],
    proxies: tuple[CountingProxy, CountingProxy],
) -> Iterator[Figure]:
    """Give how many runs a second so many workers do, and of no-ops what each cost."""
    number, rounds = runs_of(bench, crew, kind, workers), bench.choose(3, 1)
    before = costs(runner, proxies)
    samples = place.probe("handed", "rates", f"{crew.prefix}{kind}", number, rounds)
    spent = [(now - then) / number / rounds for now, then in zip(costs(runner, proxies), before, strict=True)]
    yield from rated(crew, kind, workers, samples)
    if runner and kind == "noop":
        for title, value, unit in zip(COSTS, spent[: 3 if crew.engine else 2], ("ms", "", ""), strict=False):
            yield sampled(title, crew.who, [value], unit, database=column(workers))


def rated(crew: Crew, kind: str, workers: int, samples: list[float]) -> Iterator[Figure]:
    """Give the rates for the table, and their median for the picture."""
    yield spanned(RATE.format(kind=KINDS[kind]), crew.who, samples, "/s", database=column(workers), note=HOW)
    point = sampled(f"{crew.who} at {workers}", crew.who, samples, "/s", database="PostgreSQL", size=workers)
    yield replace(point, curve=KINDS[kind].replace(" ", "-"))


def costs(runner: list[Process], proxies: tuple[CountingProxy, CountingProxy]) -> list[float]:
    return [cpu(runner), *(float(proxy.statements) for proxy in proxies)]


def cpu(runner: list[Process]) -> float:
    """Give the CPU time of the runner's own process, without its launcher and jobs."""
    return sum(cpu_of(psutil.Process(process.pid)) for process in runner)


def runs_of(bench: Bench, crew: Crew, kind: str, workers: int) -> int:
    """Give a number of runs that takes some seconds."""
    if crew.starts_anew:
        return bench.choose(6 + 2 * min(workers, 4), 4)
    if kind == "nap":
        return bench.choose(10 + 10 * workers, 4)
    return bench.choose(MOST, 8)


def column(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"
