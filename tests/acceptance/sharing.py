"""Something that several processes share: the first one makes it, the last one takes it away."""

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def shared(folder: Path, make: Callable[[Path], str], take_away: Callable[[str], None]) -> Iterator[str]:
    """Yield the name of what all who name this folder share."""
    with _noted(folder) as note:
        if not note["users"]:
            note["made"] += 1
            place = folder / f"shared{note['made']}"
            place.mkdir()
            note["name"] = make(place)
        note["users"] += 1
        name = note["name"]
    yield name
    with _noted(folder) as note:
        note["users"] -= 1
        if not note["users"]:
            take_away(name)


@contextmanager
def _noted(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what is noted in this folder, to be read and changed by one process at a time."""
    with (folder / "shared").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        note = json.loads(file.read() or '{"users": 0, "made": 0, "name": ""}')
        yield note
        file.seek(0)
        file.truncate()
        json.dump(note, file)
