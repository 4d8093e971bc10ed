"""The engine that performs the runs of jobs with a queue: a backend of Django's Tasks API.

Django has that API from 6.0 on (django.tasks); before, and for backends that are written for it, it is the package
django-tasks (https://docs.djangoproject.com/en/6.0/topics/tasks/).
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from django.conf import settings as django_settings
from django.utils.module_loading import import_string

from . import conf
from .exceptions import EngineError

APIS: Final = ("django.tasks", "django_tasks")
AT_ONCE: Final = ("immediate.ImmediateBackend", "dummy.DummyBackend")


def is_used() -> bool:
    """Tell whether runs are handed over at all."""
    return conf.load().tasks_backend is not None


def problem() -> str:
    """Say why the engine that is named cannot be used; empty when it can, or when none is named."""
    alias = conf.load().tasks_backend
    if alias is None:
        return ""
    known = _known()
    if alias not in known:
        return f"expected TASKS_BACKEND to be an alias in TASKS ({', '.join(known) or 'there is none'}), got: {alias!r}"
    path = str(known[alias].get("BACKEND"))
    if path.endswith(AT_ONCE):
        return f"expected TASKS_BACKEND to name an engine with workers, got: {path}, which has none"
    try:
        _api(path)
    except (ImportError, LookupError) as error:
        return f"TASKS_BACKEND {alias!r}: {error}"
    return ""


def queues() -> tuple[str, ...]:
    """Give the names of the queues that the engine is set up for; empty when it takes any, or when there is none."""
    if not is_used() or problem():
        return ()
    return tuple(sorted(_backend().queues))


def as_task(function: Callable[[int], None]) -> Any:
    """Make a function of a module a task of the engine; give it as it is where there is no engine that can be used."""
    # A bad setting is for the checks to name: the project has to be loaded for that.
    if conf.problems(conf.raw()) or not is_used() or problem():
        return function
    api, backend = _api(_path()), _backend()
    # A task has a queue from the start: one that the engine refuses would keep the project from being loaded.
    names = {} if not backend.queues else {"queue_name": sorted(backend.queues)[0]}
    return api.task(backend=_alias(), **names)(function)


def send(function: Callable[[int], None], run_id: int, queue: str) -> None:
    """Hand a run over.

    Args:
        function: what the worker is to call with the number of the run, or the task that was made of it.

    Raises:
        EngineError: the engine cannot be used, or does not take it.
    """
    refusal = problem() if is_used() else "TASKS_BACKEND is not set"
    if refusal:
        raise EngineError(refusal)
    try:
        as_task(getattr(function, "func", function)).using(queue_name=queue).enqueue(run_id)
    except Exception as error:  # each engine has exceptions of its own
        raise EngineError(f"run {run_id} was not taken by queue {queue!r}: {type(error).__name__}: {error}") from error


def _alias() -> str:
    return conf.load().tasks_backend or ""


def _known() -> Mapping[str, Any]:
    return getattr(django_settings, "TASKS", None) or {}


def _path() -> str:
    return str(_known()[_alias()]["BACKEND"])


def _backend() -> Any:
    return _api(_path()).task_backends[_alias()]


def _api(path: str) -> Any:
    """Give the API that a backend is written for.

    Raises:
        ImportError: the backend, or the API, is not installed.
        LookupError: it is a backend of neither.
    """
    backend = import_string(path)
    for name in APIS:
        if find_spec(name) is not None and issubclass(backend, import_module(f"{name}.backends.base").BaseTaskBackend):
            return import_module(name)
    raise LookupError(f"{path} is no backend of {' or '.join(APIS)}")
