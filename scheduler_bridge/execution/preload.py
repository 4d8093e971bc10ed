"""What a launcher has loaded of the project, and whether a fork of it is as good as a new process."""

import gc
import os
import site
import socket
import sys
import sysconfig
import time
from collections.abc import Iterator
from typing import Final

from django.core.cache import caches
from django.db import connections
from django.utils.translation import gettext

from ..discovery import discover
from .forked_job import ForkedJob
from .launcher import prepare, say, serve
from .mark import Face

Stamp = tuple[int, int, int]
CHANGED: Final[Stamp] = (0, 0, 0)  # no file has this one
CLOCK_TICK: Final = 0.01  # seconds that the clock of files may be behind


def main(descriptor: int, started: float, way: str) -> None:
    """Load all commands and serve; a process whose forks would not be as good as new ones says so and ends.

    Args:
        descriptor: of the socket to the runner.
        started: when this process was, in seconds since 1970.
        way: the setting ``SPAWN``.
    """
    prepare()
    discover()
    channel = socket.socket(fileno=descriptor)
    try:
        face, preload = Face.find(), Preload(strict=way == "auto", own=descriptor, started=started)
        unfit = preload.unfit()
    except (OSError, ValueError) as error:
        unfit = f"{type(error).__name__}: {error}"
    if unfit:
        say(channel, {"unfit": unfit})
    else:
        serve(channel, face, preload)


class Preload:
    """The project as this process has loaded it, for jobs that are forked from here."""

    def __init__(self, *, strict: bool, own: int, started: float) -> None:
        """Take stock.

        Args:
            strict: refuse a fork while there is another thread or an open connection.
            own: the descriptor of the launcher's own socket.
            started: when it began to load, in seconds since 1970.
        """
        self.code = ForkedJob()
        self._strict = strict
        _close_connections()
        # Only now: later ones are the launcher's, since without threads no code of the project runs any more.
        self._connections = sum(number > 2 and number != own for number in _sockets())
        gettext("")  # loads the translations, which every command needs
        self._stamps = {path: stamp(path, started) for path in sources()}
        gc.collect()
        gc.freeze()  # a fork shares these pages as long as nobody counts references in them

    def refusal(self) -> str:
        """Say why a fork would not be as good as a new process now; empty when it would."""
        return self.unfit() or self.stale()

    def unfit(self) -> str:
        """Say what this process has that its forks could not share."""
        if not self._strict:
            return ""
        threads = len(os.listdir("/proc/self/task")) - 1
        if threads:
            return f"the project's code started {threads} thread(s) when it was loaded"
        if self._connections:
            return f"the project's code opened {self._connections} connection(s) when it was loaded"
        return ""

    def stale(self) -> str:
        """Say which file has changed on disk since it was loaded."""
        for path, known in self._stamps.items():
            if stamp(path) != known:
                return f"{path} has changed"
        return ""


def sources() -> Iterator[str]:
    """Give the files of the project's own modules, and the folders that change when a package is installed."""
    installed = tuple({*site.getsitepackages(), site.getusersitepackages(), *_standard_library()})
    yield from (folder for folder in installed if os.path.isdir(folder))
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and not path.startswith(tuple(f"{folder}{os.sep}" for folder in installed)):
            yield path


def _standard_library() -> Iterator[str]:
    yield from (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


def stamp(path: str, loaded_since: float | None = None) -> Stamp:
    """Give what changes when the file does; one that changed while it was being loaded counts as changed."""
    try:
        found = os.stat(path)
    except OSError:
        return CHANGED
    if loaded_since is not None and loaded_since - CLOCK_TICK < found.st_mtime < time.time():
        return CHANGED
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _close_connections() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close()
    caches.close_all()


def _sockets() -> Iterator[int]:
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                yield int(name)
        except OSError:
            continue  # the descriptor of the listing itself
