"""The lines at the end of a run's output that name the processes which had to be ended."""

from collections.abc import Iterable
from typing import Final

HEAD: Final = "[ended: "
TAIL: Final = "]"


def lines(ended: Iterable[str]) -> bytes:
    """Give what is written behind an output, a line for each process."""
    return "".join(f"\n{HEAD}{text}{TAIL}" for text in ended).encode("utf-8", "backslashreplace")


def split(output: str) -> tuple[str, tuple[str, ...]]:
    """Part an output from the names of the processes at its end."""
    found = output.split("\n")
    start = len(found)
    while start > 1 and found[start - 1].startswith(HEAD) and found[start - 1].endswith(TAIL):
        start -= 1
    if start == len(found):
        return output, ()
    names = tuple(line.removeprefix(HEAD).removesuffix(TAIL) for line in found[start:])
    return "\n".join(found[:start]), names
