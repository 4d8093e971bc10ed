"""What a backend of the stand-in derives from."""

from typing import Any


class BaseTaskBackend:
    """Takes tasks of the queues it is set up for."""

    def __init__(self, queues: set[str]) -> None:
        self.queues = queues

    def validate_task(self, task: Any) -> None:
        if self.queues and task.queue_name not in self.queues:
            raise ValueError(f"no such queue: {task.queue_name}")
