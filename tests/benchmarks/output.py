"""A job that prints a gigabyte: how fast, and what the runner needs for it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, absent, sampled
from .place import Place
from .processes import Process, forget_peak, pss_mib, resident_mib

TITLE = "Output of an external job"
SPEED = "written by the job"
PEAK = "peak resident memory of the runner, above idle"
TREE = "peak PSS of runner, launcher and supervisor, above idle"
RAW = "from pour import pour; pour(%d)"
PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Poured:
    """One job that has printed."""

    speed: float  # MB/s
    peak: float  # MiB
    tree: float  # MiB


def measure(bench: Bench) -> Iterator[Figure]:
    size, times = bench.choose(10**9, 10**8), bench.choose(3, 1)
    title = f"{SPEED} ({size / 10**6:,.0f} MB)"
    yield sampled(title, "a raw pipe, read in a loop, 64 KiB each", raw(bench, size, times), "MB/s")
    for engine in bench.main_engines:
        for way in bench.ways or ("",):
            who = f"{NAMES['bridge']}, SPAWN={way}" if way else NAMES["bridge"]
            poured = ours(bench, engine, way, size, times)
            database = TITLES[engine]
            yield sampled(title, who, [item.speed for item in poured], "MB/s", database=database)
            yield sampled(PEAK, who, [item.peak for item in poured], "MiB", database=database)
            yield sampled(TREE, who, [item.tree for item in poured], "MiB", database=database)
    yield absent(SPEED, "the peers", "they keep no output of a subprocess but what the task's own code reads")


def raw(bench: Bench, size: int, times: int) -> list[float]:
    return [drained(bench, size) for _ in range(times)]


def drained(bench: Bench, size: int) -> float:
    """Read what the same code prints, and do nothing with it."""
    command = [sys.executable, "-c", RAW % size]
    with subprocess.Popen(command, cwd=bench.site / "work", stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        descriptor = child.stdout.fileno()
        os.read(descriptor, PIECE)  # from the first piece on, as the job counts it
        before = time.perf_counter()
        while os.read(descriptor, PIECE):
            pass
    return size / (time.perf_counter() - before) / 10**6


def ours(bench: Bench, engine: str, way: str, size: int, times: int) -> list[Poured]:
    extra = {"BENCH_POUR": str(size), **({"BENCH_SPAWN": way} if way else {})}
    with bench.place(engine, "bridge", extra) as place:
        (runner,) = place.start()
        place.probe("client", "latency", "outside", 1)  # all is loaded
        return [pour(place, runner, size) for _ in range(times)]


def pour(place: Place, runner: Process, size: int) -> Poured:
    place.forget_trace()
    forget_peak(runner.pid)
    idle, before = resident_mib(runner.pid), pss_mib([runner])
    place.probe("ask", "work.pouring")
    place.wait_for_trace("first")
    job = int(place.trace_lines()[0][2])
    tree = before
    while not place.trace("last"):
        tree = max(tree, pss_mib([runner], without=job))
        time.sleep(0.05)
    (first,), (last,) = place.trace("first"), place.trace("last")
    place.probe("settled", "work.pouring")
    return Poured(size / (last - first) / 10**6, resident_mib(runner.pid, "VmHWM") - idle, tree - before)
