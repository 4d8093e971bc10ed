"""What a site says of the engine that is to perform its runs, as the engine's own documents have it."""

from typing import Any, Final

from .names import ALIAS, QUEUES

API: Final = ["django_tasks"]  # needed before Django 6.0, and by backends that are written for it


def database() -> dict[str, Any]:
    return {
        "INSTALLED_APPS": ["django_tasks_db"],
        "TASKS": {ALIAS: {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": list(QUEUES)}},
    }


def rq(url: str) -> dict[str, Any]:
    # RQ's own limit of three minutes for a job would cut off longer runs; a run's timeout is its job's.
    queue = {"URL": url, "DEFAULT_TIMEOUT": -1}
    return {
        "INSTALLED_APPS": ["django_tasks", "django_rq"],
        "TASKS": {ALIAS: {"BACKEND": "django_tasks_rq.RQBackend", "QUEUES": list(QUEUES)}},
        # The backend looks results up by the queue "default", whatever the queues are.
        "RQ_QUEUES": dict.fromkeys(("default", *QUEUES), queue),
    }


def celery(url: str) -> dict[str, Any]:
    options = {"CELERY_APP": "tests.engines.celery_app.app"}
    return {
        "INSTALLED_APPS": [],
        "TASKS": {ALIAS: {"BACKEND": "django_tasks_celery.CeleryBackend", "QUEUES": list(QUEUES), "OPTIONS": options}},
        "CELERY_BROKER_URL": url,
        "CELERY_TASK_IGNORE_RESULT": True,
        # Without these two a worker keeps messages for itself that wait behind a long run while others are idle.
        "CELERY_TASK_ACKS_LATE": True,
        "CELERY_WORKER_PREFETCH_MULTIPLIER": 1,
        "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP": True,
    }
