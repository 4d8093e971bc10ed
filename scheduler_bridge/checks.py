"""What ``manage.py check`` finds: wrong definitions, wrong settings, an unsuitable database or engine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from typing import Any

from apscheduler.triggers.combining import AndTrigger
from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.core.checks import CheckMessage
from django.db import connections, router

from . import conf, engine, plan, schedules, triggers
from .conf import SettingsOverride, Unset
from .definition import JobDefinition, Problem, args_problems, args_refusal
from .discovery import chain_problems, discover
from .exceptions import ScheduleError, TriggerError
from .models import Job
from .object_text import repr_line, text_of
from .schedules import Custom

SQLITE_TIMEOUT = 20  # seconds
NAMED = 5  # jobs in one message
_asks_triggers = ContextVar("asks_triggers", default=True)


@contextmanager
def triggers_left_alone() -> Iterator[None]:
    """Check all but the triggers, for one who asks them itself."""
    token = _asks_triggers.set(False)
    try:
        yield
    finally:
        _asks_triggers.reset(token)


def register_checks() -> None:
    """Register all checks; called once, when the app is ready."""
    checks.register(check_settings)
    checks.register(check_definitions)
    checks.register(check_triggers)
    checks.register(check_databases)
    checks.register(check_engine)


def check_settings(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find bad values in SCHEDULER_BRIDGE."""
    hint = "See the table of settings in the README of scheduler_bridge."
    texts = conf.problems(conf.raw())
    wrong = [checks.Error(f"SCHEDULER_BRIDGE: {text}", hint=hint, id="scheduler_bridge.E001") for text in texts]
    return [*wrong, *_check_overrides()]


def _check_overrides() -> Iterator[CheckMessage]:
    found = discover()
    for name, override in conf.load_sound().overrides.items():
        if name not in found.definitions and name not in found.broken:
            near = get_close_matches(str(name), list(found.definitions), 1, 0.4)
            yield checks.Error(
                f"SCHEDULER_BRIDGE: OVERRIDES names {repr_line(name)}, which is no job",
                hint=f"Did you mean {near[0]!r}?" if near else "See manage.py scheduledjobs list.",
                id="scheduler_bridge.E002",
            )
        try:
            plan.settings_schedule(override)
        except ScheduleError as error:
            yield checks.Error(
                f"SCHEDULER_BRIDGE: OVERRIDES[{repr_line(name)}]: {text_of(error)}",
                hint='Write for example {"interval": timedelta(minutes=30)} or {"times": ["09:30"]}.',
                id="scheduler_bridge.E003",
            )
        if name in found.definitions and not isinstance(override.args, Unset):
            yield from _check_args(found.definitions[name], override.args)


def _check_args(definition: JobDefinition, args: tuple[str, ...]) -> Iterator[CheckMessage]:
    refusal = args_refusal(definition, args)
    if refusal:
        yield checks.Error(
            f"SCHEDULER_BRIDGE: OVERRIDES[{definition.name!r}]: {refusal}",
            hint=f"See what it takes: manage.py {definition.command} --help",
            id="scheduler_bridge.E008",
        )


def check_definitions(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find what is wrong with the jobs themselves."""
    found, overrides = discover(), conf.load_sound().overrides
    chains = chain_problems(found)
    messages = [
        _message(definition, problem)
        for name, definition in found.definitions.items()
        for problem in (*definition.problems, *_args_problems(definition, overrides), *chains.get(name, ()))
    ]
    for name, broken in found.broken.items():
        messages.append(
            checks.Warning(
                f"{name} cannot be loaded: {broken.error.strip().splitlines()[-1]}",
                hint="If it is a job, it stays scheduled and fails at its fire times until this is mended.",
                id="scheduler_bridge.W102",
            )
        )
    return messages


def _args_problems(definition: JobDefinition, overrides: Mapping[str, SettingsOverride]) -> tuple[Problem, ...]:
    override = overrides.get(definition.name, SettingsOverride())
    return args_problems(definition, plan.args_of(definition, override).value)


def _message(definition: JobDefinition, problem: Problem) -> CheckMessage:
    kind = checks.Error if problem.is_error else checks.Warning
    text = f"{definition.name} ({definition.module}): {problem.text}"
    return kind(text, hint=problem.hint or None, id=f"scheduler_bridge.{problem.id}")


def check_triggers(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find triggers of the settings that cannot be asked for a fire time, or have none."""
    if not _asks_triggers.get() or conf.problems(conf.raw()):
        return []
    settings, now = conf.load(), datetime.now(UTC)
    given = {name: override.trigger for name, override in settings.overrides.items()}
    return [
        message
        for name, trigger in given.items()
        if trigger is not None and not isinstance(trigger, Unset)
        for message in _check_trigger(name, Custom(trigger), settings.time_zone, now)
    ]


def _check_trigger(name: str, schedule: Custom, zone: tzinfo, now: datetime) -> Iterator[CheckMessage]:
    try:
        trigger = triggers.to_trigger(schedule, zone, anchor=now)
        if trigger is not None and triggers.next_fire(trigger, now) is not None:
            return
        text = f"its trigger has no fire time to come: {schedules.words(schedule)}"
        hint = "The job does not run by itself. Look at the dates of the trigger, or take it out."
    except TriggerError as error:
        text = f"its trigger cannot be used: {error}"
        hint = "The job is broken and does not run by itself until this is mended; all others do."
    if isinstance(schedule.trigger, AndTrigger):
        hint += (
            " An AndTrigger fires only at a moment that all members name: write the same hour and minute into each, "
            "or write it as one CronTrigger where you can."
        )
    yield checks.Warning(f"SCHEDULER_BRIDGE: OVERRIDES[{name!r}]: {text}", hint=hint, id="scheduler_bridge.W105")


def check_databases(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find a project whose databases do not suit, without touching one."""
    if not apps.is_installed("django_apscheduler"):
        hint = 'Add "django_apscheduler" to INSTALLED_APPS.'
        return [checks.Error("django_apscheduler is not installed", hint=hint, id="scheduler_bridge.E010")]
    using = conf.load_sound().database
    if using not in django_settings.DATABASES:
        hint = f"Name one of {', '.join(django_settings.DATABASES)}."
        return [checks.Error(f"DATABASE: no such alias: {using!r}", hint=hint, id="scheduler_bridge.E011")]
    return [*_check_router(using), *_check_sqlite(using)]


def _check_router(using: str) -> Iterator[CheckMessage]:
    others = [alias for alias in django_settings.DATABASES if alias != using]
    astray = [alias for alias in others if router.allow_migrate(alias, "django_apscheduler")]
    if astray:
        yield checks.Error(
            f"django_apscheduler would be migrated on {', '.join(astray)} too, where its migrations fail",
            hint='Add "scheduler_bridge.router.SchedulerBridgeRouter" to DATABASE_ROUTERS.',
            id="scheduler_bridge.E012",
        )


def _check_sqlite(using: str) -> Iterator[CheckMessage]:
    if connections[using].vendor != "sqlite":
        return
    options = connections[using].settings_dict.get("OPTIONS", {})
    if options.get("transaction_mode") != "IMMEDIATE" or options.get("timeout", 5) < SQLITE_TIMEOUT:
        yield checks.Warning(
            "SQLite with these options gives up as soon as two processes write",
            hint='Write OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 30, '
            '"init_command": "PRAGMA journal_mode=WAL"}.',
            id="scheduler_bridge.W011",
        )


def check_engine(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find an engine that cannot be used, and queues that it does not have."""
    found = [*_check_queues_of_internal_jobs()]
    if conf.problems(conf.raw()):
        return found
    refusal = engine.problem()
    if refusal:
        hint = "Name an alias of TASKS whose backend has workers, and install the package of that backend."
        found.append(checks.Error(f"SCHEDULER_BRIDGE: {refusal}", hint=hint, id="scheduler_bridge.E004"))
    elif engine.is_used():
        found += _check_unknown_queues(engine.queues())
    else:
        found += _check_queues_without_engine()
    return found


def _check_queues_of_internal_jobs() -> Iterator[CheckMessage]:
    definitions = discover().definitions
    for name, override in conf.load_sound().overrides.items():
        is_internal = name in definitions and definitions[name].internal
        if is_internal and override.queue and not isinstance(override.queue, Unset):
            yield checks.Error(
                f"SCHEDULER_BRIDGE: OVERRIDES[{repr_line(name)}]: queue {override.queue!r} is given to an internal job",
                hint="An internal job runs in the runner: take the queue out, or make the job external.",
                id="scheduler_bridge.E006",
            )


def _check_unknown_queues(known: tuple[str, ...]) -> Iterator[CheckMessage]:
    """Find jobs that go to a queue the engine is not set up for; an engine that names none takes any."""
    settings = conf.load()
    for name, definition in discover().definitions.items():
        queue = plan.queue_of(definition, settings, Job(name=name)).value
        if queue and known and queue not in known:
            yield checks.Error(
                f"{name} ({definition.module}): the engine has no queue {queue!r}",
                hint=f"Name one of {', '.join(known)}, or add it to QUEUES of TASKS[{settings.tasks_backend!r}].",
                id="scheduler_bridge.E005",
            )


def _check_queues_without_engine() -> Iterator[CheckMessage]:
    overrides = conf.load().overrides
    names = sorted(
        name
        for name, definition in discover().definitions.items()
        if _names_queue(definition, overrides.get(name, SettingsOverride()))
    )
    if names:
        rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        yield checks.Warning(
            f"these jobs name a queue, and run in the runner since TASKS_BACKEND is not set: "
            f"{', '.join(names[:NAMED])}{rest}",
            hint='Set SCHEDULER_BRIDGE["TASKS_BACKEND"] to an alias of TASKS, or take the queues out.',
            id="scheduler_bridge.W007",
        )


def _names_queue(definition: JobDefinition, override: SettingsOverride) -> bool:
    if definition.internal:
        return False
    return bool(definition.queue if isinstance(override.queue, Unset) else override.queue)
