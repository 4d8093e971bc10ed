"""How a program asks each scheduler for work and learns that it is done: the same two steps for all."""

import os
from dataclasses import dataclass
from typing import Any, Protocol


class Client(Protocol):
    """One scheduler, seen by one who wants work done."""

    def ask(self, task: str) -> Any:
        """Ask for a task and give what it can be known by."""

    def is_saved(self, token: Any) -> bool:
        """Tell whether the task has ended well and its result is in the database."""

    def count_saved(self) -> int:
        """Give the number of results in the database."""

    def ask_chain(self) -> None:
        """Ask for two tasks, one after the other."""


@dataclass(frozen=True)
class BridgeClient:
    """Runs of jobs, asked for by hand."""

    names = {"noop": "work.inside", "outside": "work.outside"}

    def ask(self, task: str) -> Any:
        from scheduler_bridge import api

        return api.run_now(self.names[task]).pk

    def is_saved(self, token: Any) -> bool:
        from scheduler_bridge.models import Run

        return Run.objects.filter(pk=token, status="succeeded").exists()

    def count_saved(self) -> int:
        from scheduler_bridge.models import Run

        return Run.objects.filter(status="succeeded").count()

    def ask_chain(self) -> None:
        from scheduler_bridge import api

        api.run_now("work.head")


@dataclass(frozen=True)
class Q2Client:
    """Tasks in django-q2's broker in the database."""

    def ask(self, task: str) -> Any:
        from django_q.tasks import async_task

        return async_task(f"work.tasks.{task}")

    def is_saved(self, token: Any) -> bool:
        from django_q.models import Task

        return Task.objects.filter(id=token, success=True).exists()

    def count_saved(self) -> int:
        from django_q.models import Task

        return Task.objects.filter(success=True).count()

    def ask_chain(self) -> None:
        from django_q.tasks import async_chain

        async_chain([("work.tasks.head",), ("work.tasks.tail",)])


@dataclass(frozen=True)
class CeleryClient:
    """Tasks in Redis, results in the database."""

    def ask(self, task: str) -> Any:
        from work import celery_tasks

        return getattr(celery_tasks, task).delay().id

    def is_saved(self, token: Any) -> bool:
        from django_celery_results.models import TaskResult

        return TaskResult.objects.filter(task_id=token, status="SUCCESS").exists()

    def count_saved(self) -> int:
        from django_celery_results.models import TaskResult

        return TaskResult.objects.filter(status="SUCCESS").count()

    def ask_chain(self) -> None:
        from celery import chain
        from work import celery_tasks

        chain(celery_tasks.head.si(), celery_tasks.tail.si()).apply_async()


def client() -> Client:
    """Give the client of the scheduler that this project has."""
    return {"bridge": BridgeClient, "q2": Q2Client, "celery": CeleryClient}[os.environ["BENCH_SYSTEM"]]()
