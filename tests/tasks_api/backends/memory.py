"""An engine that keeps what it is handed, for a test to look at."""

from typing import Any, ClassVar

from .base import BaseTaskBackend


class MemoryBackend(BaseTaskBackend):
    """Takes everything, or refuses it while it is down."""

    taken: ClassVar[list[tuple[str, int]]] = []  # queue and number of the run
    is_down: ClassVar[bool] = False

    def enqueue(self, task: Any, args: tuple[int]) -> None:
        if MemoryBackend.is_down:
            raise ConnectionError("connection refused")
        MemoryBackend.taken.append((task.queue_name, *args))
