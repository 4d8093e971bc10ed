"""What the figures were measured on."""

import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import databases

PACKAGES = (
    "Django",
    "scheduler-bridge",
    "APScheduler",
    "django-apscheduler",
    "django-q2",
    "celery",
    "django-tasks",
    "django-tasks-rq",
    "django-tasks-celery",
    "django-tasks-db",
    "rq",
    "django-celery-beat",
    "django-celery-results",
    "redis",
    "psycopg",
    "mysqlclient",
    "psutil",
)


def engines() -> tuple[str, ...]:
    """Give the engines whose servers answer here."""
    return tuple(engine for engine in databases.TITLES if answers(engine))


def answers(engine: str) -> bool:
    """Tell whether this engine can be used; which error says that it cannot is the client's own affair."""
    try:
        databases.version(engine)
    except Exception as error:
        print(f"no {databases.TITLES[engine]} here: {error}")
        return False
    return True


def describe(used: Sequence[str]) -> dict[str, str]:
    """Give the versions of everything, and the machine."""
    facts = {"CPU": f"{os.cpu_count()} × {processor()}", "memory": memory(), "kernel": platform.release()}
    facts["load average at the start"] = " ".join(f"{value:.2f}" for value in os.getloadavg())
    facts["Python"] = platform.python_version()
    facts |= {databases.TITLES[engine]: databases.version(engine) for engine in used}
    facts["Redis server"] = redis_version()
    return facts | {name: package(name) for name in PACKAGES}


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed" if name != "scheduler-bridge" else "this checkout"


def redis_version() -> str:
    try:
        import redis

        info = redis.Redis().info("server")
    except Exception as error:
        return f"none ({error})"
    return str(info["redis_version"])
