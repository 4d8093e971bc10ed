"""The forecast beside what a real runner then does, and how long it takes to make one."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, percentile, sampled
from .generator import package
from .place import ROOT, Place

TITLE = "Forecast of a crowded worker"
VARIES = 0.1  # by which a run may take longer or shorter than stated
ENGINE = "sqlite"  # the simulation knows no database
JOBS = 1_000


@dataclass(frozen=True, slots=True)
class Specimen:
    """One job of the crowd; without an interval it only follows others."""

    name: str
    every: int | None
    takes: float
    internal: bool = True
    followers: tuple[str, ...] = ()


# Together they keep the worker busy for about 70 % of the time.
CROWD = (
    Specimen("look", 2, 0.1),
    Specimen("count", 5, 0.2),
    Specimen("sum_up", 7, 0.4),
    Specimen("tidy", 10, 0.5),
    Specimen("check", 15, 1.0),
    Specimen("close_day", 30, 2.0, followers=("crowd.book",)),
    Specimen("book", None, 0.5, followers=("crowd.notify",)),
    Specimen("notify", None, 0.3),
    Specimen("fetch", 8, 0.2, internal=False),
    Specimen("poll", 12, 0.4, internal=False),
    Specimen("import_orders", 20, 1.2, internal=False, followers=("crowd.match",)),
    Specimen("match", None, 0.6, internal=False),
    Specimen("export", 25, 1.2, internal=False),
    Specimen("render", 35, 2.0, internal=False),
    Specimen("back_up", 40, 3.5, internal=False),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One run, foreseen or real: moments in seconds since 1970."""

    key: tuple[Any, ...]  # the job, and the fire time that this run or the first of its chain was for
    starts: float
    ends: float


def measure(bench: Bench) -> Iterator[Figure]:
    folder = bench.folder / "crowded"
    write_crowd(folder)
    try:
        extra = {"BENCH_CROWD": "1", "PYTHONPATH": f"{bench.site}:{ROOT}:{folder}"}
        with bench.place(ENGINE, "bridge", extra) as place:
            yield from followed(bench, place)
            yield from speed(bench, place)
    finally:
        shutil.rmtree(folder)


def followed(bench: Bench, place: Place) -> Iterator[Figure]:
    """Let the crowd run until its durations are known, foresee what comes, and see what does come."""
    seconds, names = bench.choose(600, 60), [specimen.name for specimen in CROWD]
    place.start()
    place.probe("forecast", "warm", bench.choose(5, 2), *names)
    result = place.probe("forecast", "follow", seconds)
    place.stop()
    foreseen, real = ([Seen(tuple(key), *span) for key, *span in result[side]] for side in ("foreseen", "real"))
    yield from compared(foreseen, real, seconds)
    for side in ("foreseen", "real"):
        yield figure(f"busy share of {seconds} s, {side}", [100 * result[f"busy_{side}"]], "%")


def compared(foreseen: Sequence[Seen], real: Sequence[Seen], seconds: int) -> Iterator[Figure]:
    errors = differences(foreseen, real)
    count = f"{len(errors)} of {len(real)} runs in {seconds} s, {len(foreseen)} were foreseen"
    yield figure("runs that were foreseen, by job and fire time", [100 * len(errors) / len(real)], "%", count)
    spans = [(f"in the {part} third", errors_between(foreseen, real, part)) for part in ("first", "last")]
    for title, found in (("", errors), *spans):
        note = f"p95 {percentile(found, 0.95):.2f} s, at most {max(found):.2f} s" if found else ""
        yield figure(f"error of the foreseen start {title}".rstrip(), found, "s", note)


def differences(foreseen: Sequence[Seen], real: Sequence[Seen]) -> list[float]:
    """Give by how many seconds the start of each run that was foreseen was foreseen wrongly."""
    starts = {run.key: run.starts for run in foreseen}
    return [abs(run.starts - starts[run.key]) for run in real if run.key in starts]


def errors_between(foreseen: Sequence[Seen], real: Sequence[Seen], part: str) -> list[float]:
    third = len(real) // 3
    ordered = sorted(real, key=lambda run: run.starts)
    return differences(foreseen, ordered[:third] if part == "first" else ordered[-third:])


def speed(bench: Bench, place: Place) -> Iterator[Figure]:
    """Give what it costs to simulate a day of many jobs."""
    result = place.probe("forecast", "speed", JOBS, bench.choose(5, 2))
    title = f"simulation of 24 hours of {JOBS:,} jobs, CPU time"
    yield figure(title, result["seconds"], "s", f"{result['starts']:,} runs, busy {result['busy']:.0%}")


def figure(what: str, values: Sequence[float], unit: str, note: str = "") -> Figure:
    return sampled(what, NAMES["bridge"], values, unit, database=TITLES[ENGINE], note=note)


def write_crowd(folder: Path) -> None:
    """Write an app of these jobs into this folder."""
    commands = package(package(package(folder / "crowd") / "management") / "commands")
    for specimen in CROWD:
        (commands / f"{specimen.name}.py").write_text(source(specimen))


def source(specimen: Specimen) -> str:
    interval = f"scheduled_interval = timedelta(seconds={specimen.every})" if specimen.every else ""
    return dedent(f"""\
        import random
        import time
        from datetime import timedelta

        from django.core.management.base import BaseCommand


        class Command(BaseCommand):
            help = "Takes {specimen.takes} s"

            class ScheduledJob:
                {interval}
                internal = {specimen.internal}
                trigger_next_jobs = {list(specimen.followers)}

            def handle(self, *args, **options):
                time.sleep({specimen.takes} * random.uniform({1 - VARIES}, {1 + VARIES}))
    """)
