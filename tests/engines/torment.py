"""What a chaos run does to an engine besides all that it does to a site, and how it watches the engine's runs."""

import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Final

import psutil

from tests.chaos.faults import Fault
from tests.chaos.keeper import Sampler, marked
from tests.chaos.plan import Specimen

from .crew import everything, horses, kill, whole
from .names import OTHER, SERVED
from .yard import Yard

QUIET_WITHIN: Final = 900.0  # seconds: a run whose messages were lost again and again is handed over ever more seldom
# The stated time is 45 s, counted by one runner with a database that answers; then the runs' own limit of 20 s, and
# some for a machine that is under strain.
BARE: Final = 60.0  # seconds that a run may say that it is performed, without a process
LONGEST: Final = 90.0  # seconds that it may say so at all
SLOWER: Final = 2  # times the usual interval, since each worker loads the project for a run


def handed(jobs: Sequence[Specimen], random: Random) -> tuple[Specimen, ...]:
    """Let most external jobs go to the engine."""
    found = [replace(job, every=job.every and job.every * SLOWER) for job in jobs]
    return tuple(
        job if job.internal or random.random() < 0.2 else replace(job, queue=random.choice((SERVED, OTHER)))
        for job in found
    )


def ended(site: Yard) -> tuple[str, ...]:
    """End the workers; give what went wrong with that."""
    try:
        site.crew.stop()
    except Exception as error:
        return (f"end: {error!r}",)
    return ()


class AwaySampler(Sampler):
    """Looks at the runs of the engine's workers too, which end whatever becomes of the worker."""

    def __init__(self, site: Yard) -> None:
        super().__init__(site.world.folder, self._own)
        self._site = site
        self._holder: int | None = None
        self._away: set[str] = set()
        self._away_since: dict[str, float] = {}
        self._bare_since: dict[str, float] = {}

    def _own(self) -> list[str]:
        """Ask for what runs; whoever cannot be asked has no watch over the workers either."""
        try:
            asked = self._site.world.client.ask
            self._away, holder = set(asked("away")), asked("holder")
            running = asked("running")
        except RuntimeError:
            self._holder = None
            raise
        if holder is None or holder != self._holder:
            self._away_since, self._bare_since = {}, {}
        self._holder = holder
        return running

    def look(self, running: set[str], now: float) -> None:
        """Hold the processes that are there against the runs that say they are performed."""
        alive = {mark for _, mark in marked(self._folder)}
        self._away_since = {mark: self._away_since.get(mark, now) for mark in self._away}
        self._bare_since = {mark: self._bare_since.get(mark, now) for mark in self._away - alive}
        for word, limit, known in (("", LONGEST, self._away_since), (" without a process", BARE, self._bare_since)):
            late = [mark for mark, since in known.items() if now - since > limit]
            self.found |= {f"run {mark} has said for {limit:.0f} s that it is performed{word}" for mark in late}
        super().look(running, now)

    def is_overdue(self, mark: str, seconds: float) -> bool:
        """Leave the runs of workers to the rules above."""
        return mark not in self._away and super().is_overdue(mark, seconds)


def sampled(site: Yard) -> AwaySampler:
    """Watch the processes of this site."""
    return AwaySampler(site)


def faults(site: Yard) -> tuple[Fault, ...]:
    """Give what this engine can suffer."""
    deeds: list[tuple[str, int, Callable[[Yard, Random], None]]] = [
        ("kill -9 of a worker with its forks", 4, kill_worker),
        ("kill -9 of a worker's forks", 2, kill_forks),
        ("kill -9 of a worker alone", 3, kill_head),
        ("a worker's host gone", 3, unplug),
        ("kill -9 of all workers", 2, kill_all),
        ("SIGTERM to a worker", 2, terminate),
        ("a worker frozen for a moment", 2, freeze_shortly),
        ("a worker frozen for long", 1, freeze_for_long),
        ("messages lost", 4, empty),
        ("messages delivered again", 8, double),
    ]
    if site.broker.url:
        deeds.append(("broker crashed and started again", 4, restart))
    if hasattr(site.broker, "wipe"):
        deeds.append(("broker came back without its files", 1, lambda site, random: site.broker.wipe()))
    return tuple(
        Fault(name, lambda world, random, deed=deed: deed(site, random), weight=weight) for name, weight, deed in deeds
    )


def any_head(site: Yard, random: Random) -> list[psutil.Process]:
    heads = site.crew.heads()
    return [random.choice(heads)] if heads else []


def kill_worker(site: Yard, random: Random) -> None:
    kill([process for head in any_head(site, random) for process in whole(head)])


def kill_forks(site: Yard, random: Random) -> None:
    kill([process for head in any_head(site, random) for process in horses(head)])


def kill_head(site: Yard, random: Random) -> None:
    kill(any_head(site, random))


def unplug(site: Yard, random: Random) -> None:
    kill([process for head in any_head(site, random) for process in everything(head)])


def kill_all(site: Yard, random: Random) -> None:
    site.crew.kill_all()


def terminate(site: Yard, random: Random) -> None:
    for head in any_head(site, random):
        with contextlib.suppress(psutil.NoSuchProcess):
            head.send_signal(signal.SIGTERM)


def freeze(site: Yard, random: Random, seconds: float) -> None:
    processes = [process for head in any_head(site, random) for process in whole(head)]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if number == signal.SIGSTOP:
            time.sleep(seconds)


def freeze_shortly(site: Yard, random: Random) -> None:
    freeze(site, random, random.uniform(1, 10))


def freeze_for_long(site: Yard, random: Random) -> None:
    freeze(site, random, random.uniform(16, 40))


def empty(site: Yard, random: Random) -> None:
    """Lose what waits; more waits when the workers were gone for a moment."""
    if random.random() < 0.5:
        site.crew.rest()
        time.sleep(random.uniform(1, 5))
    site.empty()
    site.crew.work()


def restart(site: Yard, random: Random) -> None:
    site.broker.stop()
    time.sleep(random.choice((0, 1, 8)))
    site.broker.start()


def double(site: Yard, random: Random) -> None:
    """Deliver the messages of what waits, of what runs and of what has just ended again, to whoever listens."""
    with contextlib.suppress(RuntimeError):  # the broker may be away
        for run in site.world.client.ask("latest", count=6):
            queue = random.choice((SERVED, OTHER))
            site.world.client.ask("double", run=run, times=random.randint(1, 4), queue=queue)
