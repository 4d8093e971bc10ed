"""Whether a runner needs more memory the longer it runs."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import linear_regression

from .bench import NAMES, Bench
from .databases import TITLES
from .external import refusal
from .figures import Figure, sampled
from .processes import Process, pss_of, resident_mib

TITLE = "Memory over many runs"
RUNNER, LAUNCHER = f"{NAMES['bridge']}, the runner", f"{NAMES['bridge']}, its launcher"
LOOKS = 20  # at the memory, evenly spread over all runs
REST = 1.0  # seconds after the last run of a part
QUANTITIES: dict[str, Callable[[int], float]] = {
    "resident": resident_mib,
    "resident, anonymous": lambda pid: resident_mib(pid, "RssAnon"),
    "PSS": pss_of,
}
HOW = "at rest, all runs so far asked for by hand, up to 500 at once"
SHARED = "of its processes together: what they share counts once in the PSS alone"
SLOPE = "least squares over the second half"
NOTES = {
    "resident": SLOPE,
    "resident, anonymous": f"{SLOPE}; without the files, whose pages the kernel drops and reads again as it likes",
    "PSS": f"{SLOPE}; moves with all other processes that share files with it",
}
LOAD = "load average of the machine, one minute"


@dataclass(frozen=True, slots=True)
class Look:
    """The memory of some processes together after so many runs."""

    runs: int
    mib: dict[str, float]  # by quantity

    @classmethod
    def at(cls, runs: int, pids: Sequence[int]) -> "Look":
        return cls(runs, {name: sum(map(measured, pids)) for name, measured in QUANTITIES.items()})


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen of one runner."""

    runner: tuple[Look, ...]
    launcher: tuple[Look, ...]
    load: tuple[float, ...]
    refusal: str  # why its jobs were not forked


def measure(bench: Bench) -> Iterator[Figure]:
    total = bench.choose(100_000, 2_000)
    for engine in bench.main_engines:
        seen = watched(bench, engine, "work.inside", total)
        yield from told(seen.runner, RUNNER, engine, "internal")
        yield loaded(seen, engine, "internal")
    if "postgres" in bench.engines:
        seen = watched(bench, "postgres", "work.outside", bench.choose(5_000, 100))
        yield from told(seen.runner, RUNNER, "postgres", "external", seen.refusal or HOW)
        yield from told(seen.launcher, LAUNCHER, "postgres", "external", seen.refusal or SHARED)
        yield loaded(seen, "postgres", "external")


def watched(bench: Bench, engine: str, job: str, total: int) -> Watched:
    """Let one runner do so many runs, and look at its memory after each of some equal parts."""
    part, load = total // LOOKS, []
    looks: list[tuple[Look, Look]] = []
    with bench.place(engine) as place:
        (runner,) = place.start()
        for number in range(1, LOOKS + 1):
            place.probe("often", job, part)
            time.sleep(REST)
            looks.append(look(runner, number * part))
            load.append(os.getloadavg()[0])
        why = refusal(place)
    runners, launchers = zip(*looks, strict=True)
    return Watched(runners, launchers, tuple(load), why)


def look(runner: Process, runs: int) -> tuple[Look, Look]:
    own, *others = (process.pid for process in runner.tree())
    return Look.at(runs, [own]), Look.at(runs, others)


def told(looks: Sequence[Look], who: str, engine: str, kind: str, note: str = HOW) -> Iterator[Figure]:
    database, (first, last) = TITLES[engine], (looks[0], looks[-1])
    for name in QUANTITIES:
        what = f"{kind} runs: memory, {name}"
        for title, seen in ((f"after the first {first.runs:,}", first), (f"after {last.runs:,}", last)):
            yield sampled(f"{what}, {title}", who, [seen.mib[name]], "MiB", database=database, note=note)
        slope = growth([(seen.runs, seen.mib[name]) for seen in looks])
        yield sampled(f"{what}, growth in 1,000 runs", who, [slope], "KiB", database=database, note=NOTES[name])
        for seen in looks:
            point = f"{who.rpartition(', ')[2]}, {name} at {seen.runs:,} runs"
            value = sampled(point, who, [seen.mib[name]], "MiB", database=database, size=seen.runs)
            yield replace(value, curve=kind)


def growth(points: Sequence[tuple[int, float]]) -> float:
    """Give the KiB by which memory grew in 1,000 runs, by a line through the second half of the runs and their MiB."""
    later = [(runs, mib) for runs, mib in points if runs * 2 >= points[-1][0]]
    runs, memory = zip(*later, strict=True)
    return linear_regression(runs, memory).slope * 1024 * 1000


def loaded(seen: Watched, engine: str, kind: str) -> Figure:
    return sampled(f"{kind} runs: {LOAD}", "-", seen.load, "", database=TITLES[engine])
