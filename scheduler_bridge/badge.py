"""The badge of a runner: by what others on its machine see which lease of which database it holds.

It is an open file of no content whose name the kernel shows (memfd_create(2), /proc/PID/fd), so that it is seen of a
process that stands still, goes when the process does, and is never in a copy of the database. Who may look at it is who
may end the process. What a process forks has it too, but has another number and was started at another time.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import pidfd

HEAD: Final = "scheduler_bridge"
LINK: Final = f"/memfd:{HEAD} "  # how the kernel shows it
NOWHERE: Final = "-"  # for a database of which nothing proves which one it is
NOT_EXECUTABLE: Final = 8  # linux/memfd.h: MFD_NOEXEC_SEAL, which older kernels do not know and some machines demand
STARTED: Final = 22  # the field of proc_pid_stat(5), in a clock that nobody sets
_worn: list[int] = []


@dataclass(frozen=True, slots=True)
class Badge:
    """What one process shows."""

    token: str
    database: str


def show(badge: Badge) -> None:
    """Let this process be seen with this badge from now on, in place of another one."""
    name = f"{HEAD} {badge.token} {badge.database or NOWHERE} {_started(os.getpid())}"
    before, _worn[:] = list(_worn), _made(name)
    for descriptor in before:
        _take_off(descriptor)


def _take_off(descriptor: int) -> None:
    """Close a badge; a job may have closed it before, and then its number may be that of another file."""
    with suppress(OSError):
        if os.readlink(f"/proc/self/fd/{descriptor}").startswith(LINK):
            os.close(descriptor)


def _made(name: str) -> list[int]:
    for flags in (NOT_EXECUTABLE, 0):
        with suppress(AttributeError, OSError):  # without one nothing is proved, and this process is never ended
            return [os.memfd_create(name, os.MFD_CLOEXEC | flags)]
    return []


def shown(pid: int) -> tuple[Badge, ...]:
    """Return what a process shows.

    Raises:
        PermissionError: this process may not look at it.
    """
    started = _started(pid)
    found = (name.split(" ") for name in _names(pid) if name.startswith(LINK))
    return tuple(Badge(words[1], words[2]) for words in found if len(words) > 3 and words[3] == started)


def _names(pid: int) -> Iterator[str]:
    """Yield the names of the files that a process has open."""
    folder = f"/proc/{pid}/fd"
    with suppress(FileNotFoundError, ProcessLookupError):
        for number in os.listdir(folder):
            with suppress(FileNotFoundError):
                yield os.readlink(f"{folder}/{number}")


def _started(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[STARTED - 3]
    except OSError:
        return ""


def is_worn(pid: int, token: str) -> bool:
    """Return whether this may be the process that has this token: it shows it, or does not let itself be looked at."""
    try:
        return any(badge.token == token for badge in shown(pid))
    except PermissionError:
        return True


@contextmanager
def held(pid: int, badge: Badge) -> Iterator[int | None]:
    """Hold on to the process that shows this badge and can be ended from here; None where nothing proves that."""
    with pidfd.held(pid) as descriptor:
        yield descriptor if descriptor is not None and _proves(pid, badge) and _obeys(descriptor) else None


def _proves(pid: int, badge: Badge) -> bool:
    try:
        return badge.database not in {"", NOWHERE} and badge in shown(pid)
    except PermissionError:
        return False


def _obeys(descriptor: int) -> bool:
    try:
        signal.pidfd_send_signal(descriptor, 0)
    except OSError:
        return False
    return True


def is_hidden(pid: int) -> bool:
    """Return whether there is a process of another user of which nothing else is seen (hidepid, proc(5))."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False
