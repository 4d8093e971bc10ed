"""An account that jobs keep themselves, independent of the history under test."""

import os
import time
from pathlib import Path


def write(word: str) -> None:
    with Path(os.environ["SITE_FOLDER"], "trace").open("a") as file:
        file.write(f"{word} {time.time():.3f} {os.getpid()}\n")
