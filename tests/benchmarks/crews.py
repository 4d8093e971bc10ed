"""The systems that are compared where several workers share the work, and how their workers are started."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import broker
from .bench import Bench
from .place import ROOT, Place

RQ = ("manage.py", "rqworker", "bench", "--job-class", "django_tasks_rq.Job")
CELERY = ("-m", "celery", "-A", "config", "worker", "--loglevel", "WARNING", "-c", "{workers}")


@dataclass(frozen=True, slots=True)
class Crew:
    """One system with workers."""

    who: str
    system: str  # bridge, or plain for Celery without a scheduler
    engine: str  # of the Tasks API; empty where nothing is handed over
    module: str  # without which it cannot be measured
    command: tuple[str, ...]  # of the workers; empty where the runner is alone
    together: bool = False  # one command starts all workers
    starts_anew: bool = False  # each run is a new program, which is loaded for it
    prefix: str = ""  # of the task's name

    @property
    def is_there(self) -> bool:
        return find_spec(self.module) is not None

    def start(self, place: Place, workers: int, **values: str) -> None:
        """Start so many workers."""
        commands = [self.command] * (1 if self.together else workers) if self.command else []
        for words in commands:
            place.launch([sys.executable, *(word.format(workers=workers) for word in words)], **values)


CREWS = (
    Crew("the runner alone", "bridge", "", "scheduler_bridge", ()),
    Crew("handed over to RQ", "bridge", "rq", "django_tasks_rq", RQ, starts_anew=True),
    Crew(
        "handed over to RQ, SimpleWorker",
        "bridge",
        "rq",
        "django_tasks_rq",
        (*RQ, "--worker-class", "rq.worker.SimpleWorker"),
    ),
    Crew(
        "handed over to Celery",
        "bridge",
        "celery",
        "django_tasks_celery",
        (*CELERY, "-Q", "bench"),
        together=True,
    ),
    Crew(
        "handed over to the database",
        "bridge",
        "db",
        "django_tasks_db",
        ("manage.py", "db_worker", "--queue-name", "bench", "--backend", "engine", "--no-reload"),
    ),
    Crew(
        "plain Celery, manage.py by itself",
        "plain",
        "",
        "django_celery_results",
        CELERY,
        together=True,
        starts_anew=True,
        prefix="outside-",
    ),
    Crew("plain Celery, in its worker", "plain", "", "django_celery_results", CELERY, together=True),
)


@contextmanager
def placed(bench: Bench, crew: Crew, jobs: Path, **values: str) -> Iterator[Place]:
    """Give a place on PostgreSQL with a broker of its own."""
    extra = {"BENCH_CREW": "1", "BENCH_TASKS": crew.engine, "PYTHONPATH": f"{bench.site}:{ROOT}:{jobs}", **values}
    with (
        broker.redis_server(bench.folder) as address,
        bench.place("postgres", crew.system, {**extra, "BENCH_REDIS": address}) as place,
    ):
        yield place
