"""Ten thousand jobs."""

import compileall
import shutil
import time
from collections.abc import Iterator

import psutil

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, absent, sampled
from .generator import write_many
from .lateness import LATE, late
from .place import ROOT, Place
from .processes import cpu_of
from .reaction import CHANGE

TITLE = "Growth: many jobs"
START = "start of the process → first run"
CPU = "CPU a second while one job runs every second"
CPU_NOTE = "of the runner's own process: wake-up, run, heartbeat, and a reload a minute"
PARTS = (
    ("discover", "load all commands", "of the migrate hook and of a start"),
    ("cold", "rows follow the code, none there yet", "the migrate hook, cold"),
    ("new", "rows follow the code, nothing to do, in a new process", "the migrate hook, warm"),
    ("warm", "rows follow the code, nothing to do, again in one process", "the migrate hook of a test suite, warm"),
    ("load", "read all jobs for the scheduler", "of a start and of a reload"),
)


def measure(bench: Bench) -> Iterator[Figure]:
    number = bench.choose(10_000, 500)
    many = bench.folder / "many-jobs"
    compileall.compile_dir(write_many(many, number), quiet=1)
    try:
        for engine in bench.main_engines:
            yield from few(bench, engine)
            yield from ours(bench, engine, number)
            yield from apscheduler(bench, engine, number)
            yield from celery(bench, engine, number)
    finally:
        shutil.rmtree(many)


def few(bench: Bench, engine: str) -> Iterator[Figure]:
    """Give the same for the project's own jobs alone."""
    with bench.place(engine, "bridge", {"BENCH_TICK": "inside"}) as place:
        yield from parts(place, engine, 0)
        yield from running(bench, place, engine, 0)


def ours(bench: Bench, engine: str, number: int) -> Iterator[Figure]:
    extra = {"BENCH_TICK": "inside"}
    with bench.place(engine, "bridge", extra) as place:
        # Only now, so that the first migrate with them finds no rows.
        folder = bench.folder / "many-jobs"
        place.extra = extra | {"BENCH_MANY": "1", "PYTHONPATH": f"{place.site}:{ROOT}:{folder}"}
        yield from migrations(place, engine, number)
        yield from parts(place, engine, number)
        yield from running(bench, place, engine, number)


def migrations(place: Place, engine: str, number: int) -> Iterator[Figure]:
    for what in ("cold", "warm"):
        before = time.perf_counter()
        place.manage("migrate", "--verbosity", "0")
        taken = time.perf_counter() - before
        yield sampled(
            title(f"manage.py migrate, {what}", number), NAMES["bridge"], [taken], "s", database=TITLES[engine]
        )


def parts(place: Place, engine: str, number: int) -> Iterator[Figure]:
    result = place.probe("many")
    for key, what, note in PARTS:
        yield sampled(title(what, number), NAMES["bridge"], result[key], "ms", database=TITLES[engine], note=note)


def running(bench: Bench, place: Place, engine: str, number: int) -> Iterator[Figure]:
    """Give what a runner with so many jobs does, seen from outside."""
    who, database = NAMES["bridge"], TITLES[engine]
    yield sampled(title(START, number), who, [first_run(place)], "s", database=database)
    used = busy(place, bench.choose(60, 6))
    ticks, runs = place.trace("tick"), place.probe("runs", "work.ticking")
    yield sampled(title(LATE, number), who, late(ticks, runs), "ms", database=database)
    yield sampled(title(CPU, number), who, [used], "ms", database=database, note=CPU_NOTE)
    changed = place.probe("reaction", "change", bench.choose(10, 3))
    yield sampled(title(CHANGE, number), who, changed, "ms", database=database)
    place.stop()


def busy(place: Place, seconds: int) -> float:
    """Let the job of every second run for a while and give the milliseconds of CPU a second."""
    time.sleep(3)
    place.forget_trace()
    runner = psutil.Process(place.processes[0].pid)
    before = cpu_of(runner)
    time.sleep(seconds)
    return (cpu_of(runner) - before) / seconds


def first_run(place: Place) -> float:
    """Start the scheduler and give the seconds until the job of every second has run."""
    place.forget_trace()
    before = time.time()
    place.start()
    place.wait_for_trace("tick")
    return place.trace("tick")[0] - before


def apscheduler(bench: Bench, engine: str, number: int) -> Iterator[Figure]:
    who, note = NAMES["apscheduler"], "jobs added again at the start, as it is documented"
    with bench.place(engine, "apscheduler") as place:
        for what in ("first", "second"):
            place.forget_trace()
            before = time.time()
            place.launch_probe("apscheduler_peer", "start", number)
            place.wait_for_trace("tick", 600)
            taken = place.trace("tick")[0] - before
            place.stop()
            what = title(f"{START}, {what} start", number)
            yield sampled(what, who, [taken], "s", database=TITLES[engine], note=note)


def celery(bench: Bench, engine: str, number: int) -> Iterator[Figure]:
    with bench.place(engine, "celery") as place:
        place.probe("seed", "idle", number)
        place.probe("seed", "tick")
        taken = first_run(place)
        note = "beat and worker started together"
        yield sampled(title(START, number), NAMES["celery"], [taken], "s", database=TITLES[engine], note=note)
    yield absent(
        title(START, number), NAMES["q2"], "not measured: it looks for schedules every 30 s", database=TITLES[engine]
    )


def title(what: str, number: int) -> str:
    return f"{what}, {number:,} more jobs" if number else f"{what}, the project's own jobs"
