"""Two hosts, each with a runner that is started again whenever it ends, and a database between them."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil

from tests.chaos.keeper import processes
from tests.chaos.plan import Specimen
from tests.chaos.servers import Postgres
from tests.chaos.world import suffered

from .network import Host, address, network
from .stage import Stage, readable

NAMES = ("one", "two")
# The first process of a host: what it does is what systemd does of it.
INIT = """
hostname "$1"
while [ ! -e ending ]; do
  "$2" -P -m django runapscheduler </dev/null
  echo $? >> "exits.$1"
  sleep 0.5
done
"""


class OnTheBridge(Postgres):
    """A PostgreSQL that both hosts reach by way of the bridge."""

    address = address(1)


class Hosts:
    """The two hosts, by their names, and what runs on them."""

    def __init__(self, links: Sequence[Host], settings: Mapping[str, str], folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self.links = dict(zip(NAMES, links, strict=True))
        self._inits: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str, **variables: str) -> None:
        """Switch these hosts on, with these variables in their environment besides."""
        for name in names or NAMES:
            with (self._folder / f"runner{NAMES.index(name)}.log").open("ab") as log:
                self._inits[name] = subprocess.Popen(
                    [*self.links[name].inside(), "sh", "-c", INIT, "init", name, sys.executable],
                    env={**self._settings, **variables},
                    cwd=self._folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def runner(self, name: str) -> psutil.Process | None:
        """Give the process that is or waits to be the runner on this host."""
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self._inits[name].pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if process.cmdline()[-2:] == ["django", "runapscheduler"] and process.name() != "sh":
                        return process
        return None

    def exits(self, name: str) -> Counter[int]:
        """Give how often the runner of this host ended with which code."""
        file = self._folder / f"exits.{name}"
        return Counter(map(int, file.read_text().split())) if file.exists() else Counter()

    def unplug(self, name: str) -> None:
        """Let a host die as if by a power cut."""
        init = self._inits.pop(name)
        for process in psutil.Process(init.pid).children():
            process.kill()  # with it goes everything that runs on the host
        init.wait()

    def stop(self) -> None:
        """Ask the runners to end, and switch the hosts off when they have.

        Raises:
            subprocess.TimeoutExpired: one did not end.
        """
        (self._folder / "ending").touch()
        for name in self._inits:
            runner = self.runner(name)
            if runner is not None:
                runner.terminate()
        for init in self._inits.values():
            init.wait(30)

    def kill(self) -> None:
        """Leave nothing alive, whatever happened."""
        for name in list(self._inits):
            with suppress(psutil.NoSuchProcess):
                self.unplug(name)
        for process in processes(self._folder):
            with suppress(psutil.NoSuchProcess):
                process.kill()


@contextmanager
def two_hosts(folder: Path, jobs: Sequence[Specimen]) -> Iterator[Stage]:
    """Set up the site with a host for each of two runners; none is switched on yet."""
    readable(folder)
    with network(2) as links, closing(OnTheBridge(folder)) as server:
        server.start()

        def keeping(settings: dict[str, str], folder: Path) -> Hosts:
            return Hosts(links, settings, folder)

        with suffered(folder, server, os.environ.get("SITE_SPAWN", "auto"), jobs, 6, keeping=keeping) as world:
            yield Stage(world)
