"""The engines: what each needs, how its workers are started, and what its site says of it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import django

from . import brokers, settings
from .names import ALIAS, OTHER, SERVED

DJANGO: Final = (sys.executable, "-P", "-m", "django")


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine."""

    name: str
    modules: tuple[str, ...]  # that must be installed
    has_broker: Callable[[], bool]
    broker: Callable[[Path], Any]
    settings: Callable[[str], dict[str, Any]]
    worker: Callable[[int], tuple[str, ...]]
    least_django: tuple[int, int] = (5, 2)

    def missing(self) -> str:
        """Say why it cannot be used here; empty when it can."""
        lacking = [module for module in self.modules if find_spec(module) is None]
        if lacking:
            return f"{', '.join(lacking)} not installed"
        if django.VERSION[:2] < self.least_django:
            return f"its backend needs Django {'.'.join(map(str, self.least_django))}"
        return "" if self.has_broker() else f"the programs of {self.broker.__name__} are not installed"


def database_worker(number: int) -> tuple[str, ...]:
    words = ("--backend", ALIAS, "--queue-name", f"{SERVED},{OTHER}", "--interval", "0.2", "--no-reload")
    return (*DJANGO, "db_worker", *words)


def rq_worker(number: int) -> tuple[str, ...]:
    # Without its own class of jobs the worker does not know what to do with a task of the Tasks API.
    return (*DJANGO, "rqworker", SERVED, OTHER, "--job-class", "django_tasks_rq.Job")


def celery_worker(number: int) -> tuple[str, ...]:
    words = ("--concurrency", "1", "--queues", f"{SERVED},{OTHER}", "--hostname", f"worker{number}@%h")
    return (sys.executable, "-P", "-m", "celery", "-A", "tests.engines.celery_app", "worker", *words, "-l", "INFO")


ENGINES: Final = {
    engine.name: engine
    for engine in (
        Engine(
            name="rq",
            modules=("django_tasks_rq", "django_rq", "rq"),
            has_broker=brokers.has_redis,
            broker=brokers.Redis,
            settings=settings.rq,
            worker=rq_worker,
        ),
        Engine(
            name="celery",
            modules=("django_tasks_celery", "celery", "amqp"),
            has_broker=brokers.has_rabbitmq,
            broker=brokers.RabbitMQ,
            settings=settings.celery,
            worker=celery_worker,
            least_django=(6, 0),
        ),
        Engine(
            name="database",
            modules=("django_tasks_db",),
            has_broker=lambda: True,
            broker=brokers.NoBroker,
            settings=lambda url: settings.database(),
            worker=database_worker,
        ),
    )
}


def engines() -> tuple[str, ...]:
    """Give the engines that can be used here."""
    return tuple(name for name, engine in ENGINES.items() if not engine.missing())
