"""A no-op in the scheduler's own process: what the bookkeeping around it costs."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from .bench import NAMES, Bench
from .databases import TITLES
from .external import ASKED, SEEN_BY
from .figures import Figure, absent, sampled

TITLE = "Internal no-op"
MANY = 500
MODES = (
    ("latency", ASKED, "ms"),
    ("throughput", f"{MANY} asked for at once", "/s"),
    ("backlog", f"{MANY} that wait, let go at once", "/s"),
)
PARTS = (
    ("perform", "one run: gate, claim, job, close, ledger", "scheduler_bridge, in process"),
    ("skip", "one skip: gate, should_run, skip", "scheduler_bridge, in process"),
    ("check", "should_run by itself", "floor"),
    ("call_command", "call_command by itself", "floor"),
    ("insert", "one INSERT, committed", "floor"),
    ("update", "one UPDATE, committed", "floor"),
)


EMPTY: Final[Mapping[str, str]] = MappingProxyType({})
TUNED = {"sqlite": "synchronous=NORMAL", "postgres": "prepared statements"}


def measure(bench: Bench) -> Iterator[Figure]:
    for engine in bench.engines:
        yield from in_process(bench, engine, TITLES[engine])
        if engine in TUNED:
            yield from in_process(bench, engine, f"{TITLES[engine]}, {TUNED[engine]}", {"BENCH_TUNED": "1"})
    for engine in bench.main_engines:
        for system in ("bridge", "apscheduler", "q2", "celery"):
            yield from asked(bench, engine, system)


def in_process(bench: Bench, engine: str, database: str, extra: Mapping[str, str] = EMPTY) -> Iterator[Figure]:
    with bench.place(engine, "bridge", extra) as place:
        result = place.probe("perform", bench.choose(500, 50))
    for key, what, who in PARTS:
        yield sampled(what, who, result[key], "ms", database=database)
    for key, what in (("statements", "statements of one run"), ("skip_statements", "statements of one skip")):
        note = "BEGIN and COMMIT included"
        yield sampled(what, NAMES["bridge"], [result[key]], "", database=database, note=note)


def asked(bench: Bench, engine: str, system: str) -> Iterator[Figure]:
    """Give latency and throughput of a scheduler in its own processes."""
    who, database = NAMES[system], TITLES[engine]
    for mode, what, unit in MODES if system == "bridge" else MODES[:2]:
        samples = attempt(bench, engine, system, mode)
        if isinstance(samples, str):
            yield absent(what, who, samples, database=database)
        else:
            yield sampled(what, who, samples, unit, database=database, note=note_on(system, mode))


def attempt(bench: Bench, engine: str, system: str, mode: str) -> list[float] | str:
    """Give samples, or why there are none."""
    words = (
        ("latency", "noop", bench.choose(100, 10)) if mode == "latency" else ("throughput", MANY, bench.choose(3, 1))
    )
    try:
        with bench.place(engine, system) as place:
            if system != "apscheduler":
                place.start()
            result: Any = place.probe("apscheduler_peer" if system == "apscheduler" else "client", *words)
    except RuntimeError as error:
        return f"failed: {str(error)[-200:]}"
    if isinstance(result, dict) and "failed" in result:
        return f"failed: {result['failed']}"
    return result["total"] if mode == "latency" else result


def note_on(system: str, mode: str) -> str:
    if mode == "latency":
        return SEEN_BY.get(system, "the asker looks every 2 ms")
    if system == "apscheduler":
        return "made due at once, with no limit on misfires (its own of 1 s drops most of them)"
    return "asking included" if mode == "throughput" else "asked for while on hold; from the end of the hold"
