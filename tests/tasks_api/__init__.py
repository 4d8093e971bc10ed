"""A stand-in for Django's Tasks API, which Django 5.2 has not: what an engine sees of a project, and nothing more."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True)
class Task:
    """A function that an engine can be asked to call."""

    func: Callable[..., None]
    backend: str
    queue_name: str = "default"

    def __post_init__(self) -> None:
        task_backends[self.backend].validate_task(self)

    def using(self, *, queue_name: str) -> "Task":
        return replace(self, queue_name=queue_name)

    def enqueue(self, *args: object) -> None:
        task_backends[self.backend].enqueue(self, args)


def task(**values: Any) -> Callable[[Callable[..., None]], Task]:
    return lambda function: Task(func=function, **values)


class Backends:
    """The backends that the settings name."""

    def __getitem__(self, alias: str) -> Any:
        given = settings.TASKS[alias]
        return import_string(given["BACKEND"])(set(given.get("QUEUES", [])))


task_backends = Backends()
