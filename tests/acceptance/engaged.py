"""A site whose external jobs are performed by the workers of an engine, and what tests ask and expect of it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.chaos.keeper import marked
from tests.chaos.plan import Specimen
from tests.chaos.points import REACHED, WANTED
from tests.engines.names import OTHER, SERVED, UNSERVED
from tests.engines.yard import Yard, yard
from tests.settings import ENGINE

from .audit import audit
from .stage import Stage

SPAWN = os.environ.get("SITE_SPAWN", "auto")
MINUTES = 30  # for which the site may be used
# The stated time: thirty seconds without a sign of life, five between two looks, and some for the record.
ABANDONED_WITHIN = 45.0  # seconds
QUIET_WITHIN = 200.0  # seconds: a run whose message was lost is handed over again
AGAIN = 15.0  # seconds until then, the first time, and until a queue counts as served by nobody
GONE_WITHIN = 2.0  # seconds: what supervises a run ends a moment after it has said how the run ended
SLACK = 3.0  # times as long as it may take here: others may be at work on this machine
LONG = ("shop.long1", "shop.long2", "shop.long3", "shop.long4")
ERRANDS = ("shop.errand1", "shop.errand2", "shop.errand3", "shop.errand4")


def away(command: str, queue: str = SERVED, **says: Any) -> Specimen:
    return Specimen(command=command, internal=False, queue=queue, **says)


JOBS = (
    Specimen(command="local", internal=True, every=3, lasts=0.1),
    away("away", every=5, lasts=0.2),
    away("asks", OTHER, every=7, lasts=0.1, asks=True),
    away("slow", every=4, lasts=5),  # is due again while it runs
    Specimen(command="first", internal=True, lasts=0.1, followers=("shop.second",)),
    away("second", followers=("shop.third",)),
    Specimen(command="third", internal=True),
    away("loud", habit="noise", lasts=5),
    away("leaving", OTHER, habit="exit"),
    away("hanging", habit="orphan", timeout=15),  # by then it has loaded the project and hangs, on a slow machine too
    away("unserved", UNSERVED),
    *(away(name.removeprefix("shop."), lasts=20, timeout=90) for name in LONG),
    *(away(name.removeprefix("shop."), lasts=0.1) for name in ERRANDS),
)


@dataclass(frozen=True, slots=True)
class Engaged:
    """The site as a test has it in its hands."""

    yard: Yard

    @property
    def stage(self) -> Stage:
        return Stage(self.yard.world)

    def wait(self, what: Callable[[], Any], seconds: float) -> Any:
        """Wait until something is so, and give it."""
        return self.stage.wait(what, seconds * SLACK)

    def run(self, job: str) -> int:
        """Ask for a run."""
        (number,) = self.yard.world.client.ask("ask_for", job=job)
        self.yard.world.asked.append(number)
        return number

    def row(self, run: int) -> dict[str, Any]:
        return self.yard.ask("run", number=run)

    def rows(self, job: str, **found: Any) -> list[dict[str, Any]]:
        return self.yard.ask("runs", job=job, **found)

    def until(self, run: int, status: str, seconds: float) -> dict[str, Any]:
        """Wait until a run is in this state, and give it; it must not end in another one."""
        deadline = time.monotonic() + seconds * SLACK
        while (row := self.row(run))["status"] != status:
            assert row["finished_at"] is None, (row["status"], row["reason"], row["output"][-2000:])
            assert time.monotonic() < deadline, f"run {run} is still {row['status']}, expected {status}"
            time.sleep(0.1)
        return row

    def performed(self, run: int) -> int:
        """Give how often the job of this run was executed."""
        marker = self.row(run)["marker"]
        lines = (self.yard.world.folder / "trace").read_text().split("\n")[:-1]  # the last may not be whole yet
        return sum(line.startswith("start ") and line.split()[3] == marker for line in lines)

    def processes(self, marker: str) -> int:
        """Give how many processes of a run are left."""
        return len(self.left(marker))

    def left(self, marker: str = "") -> list[tuple[int, str]]:
        """Give the processes that are left of this run, or of any, with their marks."""
        deadline = time.monotonic() + GONE_WITHIN * SLACK
        while True:
            found = [(process.pid, mark) for process, mark in marked(self.yard.world.folder) if marker in ("", mark)]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def manage(self, *words: str) -> tuple[int, str]:
        """Call a management command; give its exit code and what it printed."""
        return self.yard.manage(*words)

    def switch(self, enabled: bool) -> None:
        """Let the scheduled jobs become due, or not."""
        for job in JOBS:
            if job.every:
                self.yard.world.switch(job.name, enabled)

    def recover(self) -> None:
        """Let everything work again, whatever a test has done."""
        folder = self.yard.world.folder
        for name in (WANTED, REACHED):
            with suppress(FileNotFoundError):
                (folder / name).unlink()
        self.yard.broker.start()
        self.yard.world.server.start()
        self.yard.crew.work()
        self.yard.ask("resume", pending="run")
        for row in self.rows("shop.unserved", status="queued"):
            self.yard.ask("cancel", run=row["id"])

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Let everything come to rest; go on with the scheduled jobs afterwards."""
        self.switch(False)
        try:
            self.yard.world.wait_until_quiet(QUIET_WITHIN)
            yield
        finally:
            self.switch(True)

    def harm(self) -> tuple[str, ...]:
        """Let everything come to rest; audit all since the beginning; then go on."""
        with self.at_rest():
            evidence = self.yard.world.evidence()
            left = tuple(f"{pid} of {mark}" for pid, mark in self.left())
            found = audit(replace(evidence, processes=left))
            (self.yard.world.folder / "evidence").write_text("\n".join([*found, *map(str, evidence.rows)]))
            return found

    def see_scheduled_run(self) -> None:
        """Wait until each scheduled job has begun once more."""
        begun, wanted = time.time(), {job.name for job in JOBS if job.every}
        self.wait(lambda: wanted <= self.stage.begun(begun), ABANDONED_WITHIN + 60)


@contextmanager
def engaged(folder: Path, engine: str) -> Iterator[Engaged]:
    """Set up the site with two runners and four workers."""
    ours = (parent for parent in folder.parents if parent.name.startswith(("pytest-", "popen-")))
    for parent in (folder, *ours):
        parent.chmod(parent.stat().st_mode | 0o055)  # servers that gave up root reach their own folders in it
    with yard(folder, engine, ENGINE, JOBS, MINUTES, spawn=SPAWN, again=AGAIN) as found:
        found.ask("switch", job="scheduler_bridge.pruneruns", enabled=False)  # nothing but the shop's jobs is due
        found.world.keeper.start()
        yield Engaged(found)
