"""A hold on one process: its number may pass on to another one, a descriptor of it cannot (pidfd_open(2))."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held(pid: int) -> Iterator[int | None]:
    """Open a descriptor of this process; None where it is gone, or where the system has none.

    What is found out about the number while the descriptor is open, and the process lives, is true of the process.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
