"""A site on which something is done to the runner at a chosen step of a run, until the audit."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.plan import Specimen
from tests.chaos.points import REACHED, WANTED
from tests.chaos.world import World, settled, suffering
from tests.settings import ENGINE

from .audit import audit

JOBS = (
    Specimen(command="inside", internal=True, every=2, lasts=0.2, asks=True),
    Specimen(command="outside", internal=False, every=3, lasts=0.3),
    Specimen(command="first", internal=True, every=5, lasts=0.1, followers=("shop.second",)),
    Specimen(command="second", internal=False, lasts=0.2),
)
# From the question whether to run to the record of the end; "inside" and "outside" are in the job itself, and the
# last one is in the middle of a chain.
POINTS = ("asking", "admitted", "claimed", "inside", "outside", "executed", "closed", "closed shop.first")


@dataclass
class Stage:
    """What a test says of a site and does with it."""

    world: World

    def wait(self, what: Callable[[], Any], seconds: float) -> Any:
        """Wait until something is so, and give it."""
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, f"waited {seconds} s in vain"
            time.sleep(0.05)
        return found

    def stand_at(self, point: str, ask: Callable[[], object] = bool, within: float = 30) -> None:
        """Let the next run that comes to this step stand still there.

        Args:
            ask: asks for that run, where none is on its way.
        """
        (self.world.folder / WANTED).write_text(point)
        ask()
        self.wait((self.world.folder / REACHED).exists, within)

    def go_on(self) -> None:
        """Let what stands still go on, if it lives."""
        with suppress(FileNotFoundError):
            (self.world.folder / REACHED).unlink()

    def see_all_run(self) -> None:
        """Wait until each job has begun once more."""
        begun = time.time()
        self.wait(lambda: {job.name for job in self.world.jobs} <= self.begun(begun), 60)

    def begun(self, since: float) -> set[str]:
        """Give the jobs that began at this moment or later."""
        trace = self.world.folder / "trace"
        # The last line may not be whole yet.
        lines = [line.split() for line in trace.read_text().split("\n")[:-1]] if trace.exists() else []
        return {job for word, job, _, _, at in lines if word == "start" and float(at) >= since}

    def log(self) -> str:
        """Give what the runners said."""
        return "".join(file.read_text() for file in self.world.folder.glob("runner?.log"))

    def harm(self) -> tuple[str, ...]:
        """Let everything run once more, come to rest, and be audited."""
        self.see_all_run()
        return (*settled(self.world), *audit(self.world.evidence()))


def readable(folder: Path) -> None:
    """Let a database server that gave up root reach its own folder in this one."""
    ours = (parent for parent in folder.parents if parent.name.startswith(("pytest-", "popen-")))
    for parent in (folder, *ours):
        parent.chmod(parent.stat().st_mode | 0o055)


@contextmanager
def staged(folder: Path, jobs: Sequence[Specimen] = JOBS) -> Iterator[Stage]:
    """Set up the site with two runners."""
    readable(folder)
    with suffering(folder, ENGINE, os.environ.get("SITE_SPAWN", "auto"), jobs, 4) as world:
        world.keeper.start()
        yield Stage(world)
