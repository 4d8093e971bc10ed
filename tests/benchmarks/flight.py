"""Ten thousand runs in flight: handed over, with no worker or few."""

import compileall
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from . import broker
from .bench import NAMES, Bench
from .crews import CREWS, Crew, placed
from .figures import Figure, absent, sampled
from .generator import write_crew
from .place import Place
from .processes import Process, cpu_of, resident_mib
from .proxy import CountingProxy
from .reaction import ASK, CHANGE

WORKERS = 4
WATCHED = 60  # seconds
WHO = NAMES["bridge"]
ENGINE = "handed over to RQ, SimpleWorker"
PARTS = {
    "reload": "read all jobs (a start, SIGHUP, every 10 min)",
    "change": "read what changed (at each change)",
    "queued": "read what waits for the runner (at each change)",
    "ended": "look for ended runs (at each change)",
    "again": "look for runs to hand over again, up to 1,000 (every 5 s)",
    "signs": "read the signs of life (every 5 s)",
    "lost": "look for runs that were deleted (every 5 s)",
}


@dataclass
class Flight:
    """A runner whose runs all wait for a worker."""

    place: Place
    runner: Process
    proxy: CountingProxy
    number: int

    @property
    def title(self) -> str:
        return f"{self.number:,} in flight" if self.number else "none in flight"

    def figure(self, what: str, values: list[float], unit: str, note: str = "") -> Figure:
        return sampled(what, WHO, values, unit, database=self.title, note=note)

    def spent(self) -> tuple[float, int]:
        """Give the CPU time in ms and the statements of the runner so far."""
        return cpu_of(psutil.Process(self.runner.pid)), self.proxy.statements


def measure(bench: Bench) -> Iterator[Figure]:
    number = bench.choose(10_000, 300)
    crew = next(crew for crew in CREWS if crew.who == ENGINE)
    if not crew.is_there:
        yield absent(f"{number:,} in flight", WHO, f"needs {crew.module}")
        return
    jobs = write_crew(bench.folder / "flight", {"noop": number})
    compileall.compile_dir(jobs, quiet=1)
    proxy = CountingProxy()
    with placed(bench, crew, jobs) as place:
        (runner,) = place.start(BENCH_PORT=str(proxy.port))
        place.probe("settled", "work.inside")
        time.sleep(bench.choose(20, 5))
        yield from at_rest(bench, Flight(place, runner, proxy, 0))
        flight = Flight(place, runner, proxy, number)
        yield from handed_over(flight)
        yield from at_rest(bench, flight)
        yield from drained(bench, flight, crew)
    proxy.close()


def handed_over(flight: Flight) -> Iterator[Figure]:
    before = flight.spent()
    taken = flight.place.probe("handed", "fly", flight.number)
    after = flight.spent()
    per_run = [(now - then) / flight.number for now, then in zip(after, before, strict=True)]
    yield flight.figure("hand all over", [taken], "s", "asked for while on hold; from the end of the hold")
    yield flight.figure("the same: the runner's own CPU per run", per_run[:1], "ms")
    yield flight.figure("the same: statements per run", per_run[1:], "")


def at_rest(bench: Bench, flight: Flight) -> Iterator[Figure]:
    """Give what the runner does while nothing ends, and how fast it follows."""
    seconds = bench.choose(WATCHED, 10)
    before = flight.spent()
    time.sleep(seconds)
    cpu, statements = ((now - then) * 60 / seconds for now, then in zip(flight.spent(), before, strict=True))
    yield flight.figure("CPU a minute", [cpu], "ms")
    yield flight.figure("statements a minute", [statements], "")
    yield flight.figure("memory (resident) of the runner", [resident_mib(flight.runner.pid)], "MiB")
    address = str(flight.place.extra["BENCH_REDIS"])
    yield flight.figure("messages in the broker's queue", [float(broker.waiting(address, "bench"))], "")
    yield flight.figure("SIGHUP: CPU of a reload", reloads(flight, bench.choose(5, 2)), "ms")
    yield flight.figure(ASK, flight.place.probe("reaction", "ask", bench.choose(10, 3)), "ms", "internal")
    yield flight.figure(CHANGE, flight.place.probe("reaction", "change", bench.choose(10, 3)), "ms", "internal")
    parts = flight.place.probe("handed", "parts")
    for key, what in PARTS.items():
        yield flight.figure(what, parts[key], "ms", "in a process of its own, on the same tables")


def reloads(flight: Flight, times: int) -> list[float]:
    """Give the milliseconds of CPU that each reload takes."""
    samples = []
    for _ in range(times):
        before, _statements = flight.spent()
        psutil.Process(flight.runner.pid).send_signal(signal.SIGHUP)
        time.sleep(3)
        samples.append(flight.spent()[0] - before)
    return samples


def drained(bench: Bench, flight: Flight, crew: Crew) -> Iterator[Figure]:
    """Give how fast four workers come down from there."""
    sample, place = min(flight.number // 2, 1000), flight.place
    crew.start(place, WORKERS)
    place.probe("handed", "flown", 10 * WORKERS)
    before = flight.spent()
    taken = place.probe("handed", "flown", sample)
    per_run = [(now - then) / sample for now, then in zip(flight.spent(), before, strict=True)]
    note = f"{WORKERS} workers of {ENGINE}, a sample of {sample:,} no-ops"
    yield flight.figure("runs a second of the drain", [sample / taken], "/s", note)
    yield flight.figure("the same: the runner's own CPU per run", per_run[:1], "ms")
    yield flight.figure("the same: statements per run", per_run[1:], "")
    changed = place.probe("reaction", "change", bench.choose(10, 3))
    yield flight.figure(f"{CHANGE}, while they drain", changed, "ms", "internal")
    address = str(place.extra["BENCH_REDIS"])
    yield flight.figure("messages left in the broker's queue", [float(broker.waiting(address, "bench"))], "")
