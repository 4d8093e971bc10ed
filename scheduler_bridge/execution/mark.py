"""The mark of a run: a variable in the environment of each of its processes, by which what is left is found.

The kernel shows a process's environment and command line as they were when its program was loaded (proc(5),
``arg_start`` and ``env_start`` in /proc/PID/stat). A process that was forked and loads no program shows those of its
parent, so it writes its own in their place.
"""

import ctypes
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MARKER: Final = "SCHEDULER_BRIDGE_RUN"
PROOF: Final = "#"  # between a run's own mark, which a copy of the database has too, and what stands for the database
LONGEST: Final = 100 + 1 + 16  # bytes: what the column of a run holds, and the proof
# A last argument for a program whose forks are to show command lines of their own, which need not be shorter.
ROOM: Final = "." * 300


@dataclass(frozen=True, slots=True)
class Area:
    """A piece of this process's memory."""

    address: int
    size: int

    def write(self, data: bytes) -> None:
        """Fill it with this text, cut or padded with NUL."""
        ctypes.memmove(self.address, data[: self.size - 1].ljust(self.size, b"\0"), self.size)


@dataclass(frozen=True, slots=True)
class Face:
    """What the kernel shows of this process and of those it forks."""

    command_line: Area
    mark: Area

    @classmethod
    def find(cls) -> "Face":
        """Find the two places; the mark's was reserved when this program was started.

        Raises:
            OSError, ValueError: the system does not tell, or no place was reserved.
        """
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end, environment = (int(fields[number - 3]) for number in (48, 49, 50))
        offset = Path("/proc/self/environ").read_bytes().index(f"{MARKER}={'-' * LONGEST}".encode())
        if not start or not environment:
            raise ValueError("the kernel does not tell where the command line and the environment are")
        place = Area(environment + offset + len(MARKER) + 1, LONGEST + 1)
        return cls(command_line=Area(start, end - start), mark=place)

    def show(self, marker: str, words: Sequence[str]) -> None:
        """Let this process be seen with this mark and this command line."""
        self.mark.write(marker.encode())
        self.command_line.write("\0".join(words).encode("utf-8", "surrogateescape"))
        os.environ[MARKER] = marker


def proved(marker: str, database: str) -> str:
    """Return what the processes of a run carry: the run's own mark, and which very database it is recorded in.

    Args:
        database: what stands for the database; where it is empty nothing is proved.
    """
    return f"{marker}{PROOF}{database}" if database else marker


def is_of(mark: str, marker: str) -> bool:
    """Return whether a process that carries this mark may belong to the run, in whichever copy of the database."""
    return mark.partition(PROOF)[0] == marker


def reserved(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a program whose forks will carry marks."""
    return {**environment, MARKER: "-" * LONGEST}
