"""Moments that the work writes down itself, in a file, the same way under every scheduler."""

import os
import time


def note(word: str) -> None:
    """Add a line with this word and the time."""
    path = os.environ.get("BENCH_TRACE")
    if path:
        with open(path, "a") as trace:
            trace.write(f"{word} {time.time():.6f} {os.getpid()}\n")
