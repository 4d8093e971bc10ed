"""How late jobs start: against their fire times, and after the job before them."""

import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from operator import itemgetter
from statistics import linear_regression

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, absent, sampled
from .place import Place

TITLE = "Lateness"
LATE = "job of every second: start of its code − fire time"
GAP = "job of every second: time between two starts − 1 s"
DRIFT = "job of every second: by how much a minute grew longer"
CHAIN = "chain of two: end of the first → start of the second"
START = 5  # seconds that are left out, in which the process still starts
NO_GRID = "beat counts from the last start and keeps no fire times"
NO_SECONDS = "its schedules are in minutes, and it looks for due ones every 30 s"
NO_CHAIN = "it has no chains"


def measure(bench: Bench) -> Iterator[Figure]:
    for engine in bench.main_engines:
        yield from ours(bench, engine, "inside", NAMES["bridge"])
        yield from ours(bench, engine, "outside", f"{NAMES['bridge']}, external")
        yield from apscheduler(bench, engine)
        yield from celery(bench, engine)
        yield absent(LATE, NAMES["q2"], NO_SECONDS, database=TITLES[engine])
        for system in ("bridge", "q2", "celery"):
            yield chain(bench, engine, system)
        yield absent(CHAIN, NAMES["apscheduler"], NO_CHAIN, database=TITLES[engine])


def late(starts: Iterable[float], runs: Iterable[Sequence[float]]) -> list[float]:
    """Give the milliseconds from fire time to start.

    Args:
        starts: when the code of the job started, by its own clock.
        runs: for each run when it was begun and its fire time; a start belongs to the last run begun before it.
    """
    ordered = sorted(runs)
    places = ((start, bisect_right(ordered, start, key=itemgetter(0))) for start in starts)
    return [(start - ordered[place - 1][1]) * 1000 for start, place in places if place]


def gaps(starts: Sequence[float]) -> list[float]:
    return [abs(after - before - 1) * 1000 for before, after in pairwise(sorted(starts))]


def drift(starts: Sequence[float]) -> float:
    """Give by how many milliseconds a minute the starts move away from a grid of whole seconds."""
    ordered = sorted(starts)
    seconds = accumulate((round(after - before) for before, after in pairwise(ordered)), initial=0)
    return (linear_regression(list(seconds), ordered).slope - 1) * 60_000


def spread(starts: Sequence[float], runs: Sequence[Sequence[float]], who: str, database: str) -> Iterator[Figure]:
    if runs:
        yield sampled(LATE, who, late(starts, runs), "ms", database=database)
    else:
        yield absent(LATE, who, NO_GRID, database=database)
    yield sampled(GAP, who, gaps(starts), "ms", database=database, note="absolute")
    yield sampled(DRIFT, who, [drift(starts)], "ms", database=database)


def ours(bench: Bench, engine: str, kind: str, who: str) -> Iterator[Figure]:
    with bench.place(engine, "bridge", {"BENCH_TICK": kind}) as place:
        place.start()
        settled(place, bench)
        place.stop()
        runs = place.probe("runs", "work.ticking")
    yield from spread(place.trace("tick"), runs, who, TITLES[engine])


def settled(place: Place, bench: Bench) -> None:
    """Let the job of every second run for a while, and forget the first seconds."""
    place.wait_for_trace("tick")
    time.sleep(START)
    place.forget_trace()
    time.sleep(bench.choose(60, 8))


def apscheduler(bench: Bench, engine: str) -> Iterator[Figure]:
    with bench.place(engine, "apscheduler") as place:
        fire_times = place.probe("apscheduler_peer", "tick", START + bench.choose(60, 8))
    runs = list(zip(place.trace("tick"), fire_times, strict=False))[START:]
    yield from spread([started for started, _ in runs], runs, NAMES["apscheduler"], TITLES[engine])


def celery(bench: Bench, engine: str) -> Iterator[Figure]:
    with bench.place(engine, "celery") as place:
        place.probe("seed", "tick")
        place.start()
        settled(place, bench)
        place.stop()
    yield from spread(place.trace("tick"), (), NAMES["celery"], TITLES[engine])


def chain(bench: Bench, engine: str, system: str) -> Figure:
    with bench.place(engine, system) as place:
        place.start()
        place.probe("client", "chain", bench.choose(40, 5))
        pairs = zip(place.trace("head"), place.trace("tail"), strict=True)
    return sampled(CHAIN, NAMES[system], [(b - a) * 1000 for a, b in pairs], "ms", database=TITLES[engine])
