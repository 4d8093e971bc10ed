"""How long nothing is run when the runner ends and the standby takes its place."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, sampled, spanned
from .memory import LOAD
from .place import Place
from .processes import wait_for

TITLE = "Takeover by the standby"
STANDBY = "standby: "  # what a runner logs that finds another
TRIES = 3  # for each sample
WAITS = "a run that was asked for right after the end"
BOUND = "at most 15 s are promised"
READ = "when the standby took it, by its row"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One way in which a runner ends."""

    title: str
    signal: signal.Signals
    apart: bool = False  # each process takes the others for processes of other machines
    pause: float  # the longest time in seconds before it, so that it comes at any moment of what repeats meanwhile
    samples: int = 20
    quick: int = 5


ENDS = (
    End(title="clean stop", signal=signal.SIGTERM, pause=1),
    End(title="kill -9", signal=signal.SIGKILL, pause=1),
    End(title="kill -9, on another machine", signal=signal.SIGKILL, apart=True, pause=11, samples=5, quick=1),
)


def measure(bench: Bench) -> Iterator[Figure]:
    for engine in bench.engines:
        for end in ENDS:
            yield from ended(bench, engine, end)


def ended(bench: Bench, engine: str, end: End) -> Iterator[Figure]:
    samples, load = [], []
    with bench.place(engine, extra={"BENCH_APART": "1"} if end.apart else {}) as place:
        for sample in takeovers(place, end, bench.choose(end.samples, end.quick)):
            samples.append(sample)
            load.append(os.getloadavg()[0])
    yield from told(samples, end, engine)
    yield sampled(f"{end.title}: {LOAD}", "-", load, "", database=TITLES[engine])


def takeovers(place: Place, end: End, number: int) -> Iterator[dict[str, float]]:
    """End one runner after the other, each time with a standby beside it."""
    launch(place)
    found = 0
    for _ in range(TRIES * number):
        launch(place)
        sample = place.probe("takeover", int(end.signal), end.pause)
        wait_for(lambda: any(process.ended for process in place.processes), 60, "the end of the runner")
        place.processes = [process for process in place.processes if not process.ended]
        if sample is not None:
            found += 1
            yield sample
        if found == number:
            return


def launch(place: Place) -> None:
    """Start one more runner; the second one is standby when this comes back."""
    first = not place.processes
    known = said(place)
    (process,) = place.start()
    process.bury()
    if not first:
        wait_for(lambda: said(place) > known, 60, f"a standby, see {place.log.name}")


def said(place: Place) -> int:
    return place.log.read_text().count(STANDBY) if place.log.exists() else 0


def told(samples: list[dict[str, float]], end: End, engine: str) -> Iterator[Figure]:
    for key, what, note in (("lease", "the lease is taken", READ), ("start", "a job starts", WAITS)):
        values = [sample[key] for sample in samples]
        yield figure(f"{end.title} → {what}", values, engine, note)
        if end.apart:
            beaten = [sample[key] - sample["beat"] for sample in samples]
            yield figure(f"{end.title}: last heartbeat → {what}", beaten, engine, BOUND if key == "lease" else note)


def figure(what: str, values: list[float], engine: str, note: str) -> Figure:
    return spanned(what, NAMES["bridge"], values, "s", database=TITLES[engine], note=note)
