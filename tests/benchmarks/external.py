"""A no-op in a process of its own, from the request until it is reaped and recorded."""

import sys
from collections.abc import Iterator

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, absent, sampled
from .place import Place
from .processes import timed

TITLE = "External no-op"
ASKED = "asked for → result saved"
RUN = "started → finished, by the rows of the runs"
SEEN = "the asker looks every 2 ms"


def measure(bench: Bench) -> Iterator[Figure]:
    yield from floors(bench)
    for engine in bench.main_engines:
        for way in bench.ways or ("",):
            yield from ours(bench, engine, way)
        for system in ("apscheduler", "q2", "celery"):
            yield from peer(bench, engine, system)


def floors(bench: Bench) -> Iterator[Figure]:
    number = bench.choose(20, 4)
    with bench.place("sqlite", "none") as place:
        words = [sys.executable, "manage.py", "noop"]
        yield sampled("manage.py noop", "the project", whole(place, words, number), "ms")
        quick = [*words, "--skip-checks"]
        yield sampled("manage.py noop --skip-checks", "the project", whole(place, quick, number), "ms")
        yield sampled("manage.py noop", "a bare project", whole(place, words, number, BENCH_BARE="1"), "ms")
        yield sampled("python -c pass", "floor", whole(place, [sys.executable, "-c", "pass"], number), "ms")
        yield sampled("/bin/true", "floor", whole(place, ["/bin/true"], number * 5), "ms")
        forks = place.probe("preloaded", bench.choose(200, 20))
        yield sampled("os.fork, child ends at once", "floor, project loaded", forks["bare"], "ms")
        yield sampled("os.fork, child runs noop", "floor, project loaded", forks["noop"], "ms")


def whole(place: Place, command: list[str], number: int, **values: str) -> list[float]:
    environment = place.environment(**values)
    timed(command, environment, place.site)  # writes the byte code
    return [timed(command, environment, place.site) for _ in range(number)]


def ours(bench: Bench, engine: str, way: str) -> Iterator[Figure]:
    who = f"{NAMES['bridge']}, SPAWN={way}" if way else NAMES["bridge"]
    with bench.place(engine, "bridge", {"BENCH_SPAWN": way} if way else {}) as place:
        place.start()
        result = place.probe("client", "latency", "outside", bench.choose(40, 6))
        note = refusal(place) if way == "auto" else "without the checks, which the runner has done"
    yield sampled(ASKED, who, result["total"], "ms", database=TITLES[engine], note=SEEN)
    yield sampled(RUN, who, result["run"], "ms", database=TITLES[engine], note=note)


def refusal(place: Place) -> str:
    """Give the line of the log that says why jobs are not forked, if there is one."""
    lines = [line for line in place.log.read_text().splitlines() if "not forked" in line]
    return lines[-1].partition("WARNING ")[2][:200] if lines else ""


def peer(bench: Bench, engine: str, system: str) -> Iterator[Figure]:
    number = bench.choose(20, 3)
    try:
        with bench.place(engine, system) as place:
            if system == "apscheduler":
                result = place.probe("apscheduler_peer", "latency", "outside", number)
            else:
                place.start()
                result = place.probe("client", "latency", "outside", number)
    except RuntimeError as error:
        result = {"failed": str(error)[-200:]}
    if "failed" in result:
        yield absent(ASKED, NAMES[system], f"failed: {result['failed']}", database=TITLES[engine])
        return
    yield sampled(ASKED, NAMES[system], result["total"], "ms", database=TITLES[engine], note=SEEN_BY[system])


SEEN_BY = {
    "apscheduler": "asked in its own process, since there is no other way; seen by a listener",
    "q2": f"its broker looks every 0.2 s; {SEEN}",
    "celery": SEEN,
}
