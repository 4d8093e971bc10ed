"""A site whose external jobs are handed over to an engine: broker, two runners, four workers, and somebody who asks."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.plan import Specimen
from tests.chaos.world import Kind, World, suffering

from .crew import Crew
from .kinds import ENGINES, Engine

SETTINGS = "tests.engines.site_settings"
REQUESTS = "tests.engines.requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """What a test or a fault may lay its hands on."""

    engine: Engine
    broker: Any
    crew: Crew
    world: World

    def ask(self, do: str, **words: Any) -> Any:
        """Ask until it is done; for what does no harm when it is done twice."""
        return self.world.client.insist(do, **words)

    def manage(self, *words: str) -> tuple[int, str]:
        """Call a management command of the site; give its exit code and what it printed."""
        command = [sys.executable, "-P", "-m", "django", *words]
        done = subprocess.run(
            command, env=self.world.environment, capture_output=True, text=True, check=False, timeout=180
        )
        return done.returncode, done.stdout + done.stderr

    def empty(self) -> None:
        """Lose the messages that wait."""
        self.ask("empty") if self.engine.name == "database" else self.broker.empty()


@contextlib.contextmanager
def yard(
    folder: Path,
    engine: str,
    database: str,
    jobs: Sequence[Specimen],
    minutes: float,
    *,
    spawn: str = "auto",
    again: float | None = None,
) -> Iterator[Yard]:
    """Set up the site, and leave nothing alive behind.

    Args:
        again: the seconds after which a run that no worker takes up is handed over again, and its queue is said to be
            served by nobody; None: as everywhere.
    """
    kind, place = ENGINES[engine], folder / "broker"
    place.mkdir()
    with contextlib.closing(kind.broker(place)) as broker:
        broker.start()
        besides = {"SITE_ENGINE": engine, "SITE_BROKER": broker.url, "SITE_AGAIN": str(again or "")}
        site = Kind(shared=SETTINGS, requests=REQUESTS, besides=besides)
        with (
            suffering(folder, database, spawn, jobs, minutes, site) as world,
            contextlib.closing(Crew(kind, world.environment, folder)) as crew,
        ):
            crew.work()
            yield Yard(engine=kind, broker=broker, crew=crew, world=world)
