"""JobDefinition: what the ``ScheduledJob`` class of a command says, checked; no database."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

from django.core.management.base import BaseCommand
from django.utils.functional import Promise

from .accepted import is_queue
from .conf import UNSET, Unset
from .exceptions import ScheduleError
from .isolation import isolated
from .object_text import repr_line, text_of
from .parsing import TAKEN, OwnParser, Reply, Verdict
from .schedules import Manual, Schedule, parse_interval, parse_times

MEMBER: Final = "ScheduledJob"
ATTRIBUTES: Final = (
    "scheduled_interval",
    "scheduled_times",
    "internal",
    "timeout",
    "trigger_next_jobs",
    "trigger_next_on_failure",
    "default_notify_on_success",
    "args",
    "queue",
    "should_run",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something wrong with a definition: a stable check id, what came and what to write instead."""

    id: str  # "E101", "W101"
    text: str
    hint: str = ""

    @property
    def is_error(self) -> bool:
        return self.id.startswith("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDefinition:
    """What the code says of one job."""

    app: str
    command: str
    description: str
    schedule: Schedule
    internal: bool
    timeout: timedelta | None | Unset
    next_jobs: tuple[str, ...]  # as written: "app.command" or "command"
    next_on_failure: bool
    notify_on_success: bool
    args: tuple[str, ...]
    queue: str  # of the engine that performs it; empty: the runner does
    should_run: Callable[[], Any] | None
    module: str  # the dotted module of the command, its place in messages
    command_class: type[BaseCommand] | None = None  # None where it cannot be loaded
    skips_checks: bool = True  # whether the command knows the option --skip-checks
    problems: tuple[Problem, ...] = ()
    _parser: OwnParser = field(default_factory=OwnParser, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        return f"{self.app}.{self.command}"

    def reply(self, args: tuple[str, ...]) -> Reply:
        """Return what the command's own parser says of these words; nothing where the command cannot be loaded."""
        if self.command_class is None:
            return TAKEN
        return self._parser.reply(self.command_class, self.command, args)


def define(app: str, command: str, command_class: type[BaseCommand]) -> JobDefinition | None:
    """Read the member class of a command; None when it has none and so is no job.

    What cannot be used is named in ``problems``, and something harmless stands in its place.
    """
    member = getattr(command_class, MEMBER, None)
    if member is None:
        return None
    problems: list[Problem] = []
    if not isinstance(member, type):
        problems.append(_problem("E101", f"{MEMBER} as a class", member, f"class {MEMBER}:\n    ..."))
        member = type(MEMBER, (), {})
    values = _values(member)
    problems += _unknown(values)
    internal = _switch(values, "internal", problems)
    return JobDefinition(
        app=app,
        command=command,
        description=_description(command_class),
        schedule=_schedule(values, problems),
        internal=internal,
        timeout=_timeout(values, internal, problems),
        next_jobs=_next_jobs(values, problems),
        next_on_failure=_switch(values, "trigger_next_on_failure", problems),
        notify_on_success=_switch(values, "default_notify_on_success", problems),
        args=_args(values, problems),
        queue=_queue(values, internal, problems),
        should_run=_should_run(member, values, problems),
        module=text_of(command_class.__module__),
        command_class=command_class,
        skips_checks=bool(command_class.requires_system_checks),
        problems=tuple(problems),
    )


def _description(command_class: type[BaseCommand]) -> str:
    """Return the help of a command; empty where it cannot be told, which the parser meets again and says."""
    said: Any = command_class.help
    if type(said) is not str:
        with isolated(), suppress(Exception, SystemExit):
            said = said if isinstance(said, str | Promise) else command_class().help
            return text_of(said or "").strip()
        return ""
    return said.strip()


def _values(member: type) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(member.__mro__[:-1]):
        found.update({key: value for key, value in vars(base).items() if not key.startswith("_")})
    return found


def _problem(number: str, expected: str, got: object, hint: str) -> Problem:
    return Problem(id=number, text=f"expected {expected}, got: {repr_line(got)}", hint=hint)


def _unknown(values: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for name in values:
        if name not in ATTRIBUTES:
            near = get_close_matches(name, ATTRIBUTES, 1, 0.5)
            hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(ATTRIBUTES)}."
            problems.append(Problem(id="W101", text=f"unknown attribute {name} in {MEMBER}", hint=hint))
    return problems


def _schedule(values: Mapping[str, Any], problems: list[Problem]) -> Schedule:
    interval, times = values.get("scheduled_interval"), values.get("scheduled_times")
    if interval is not None and times is not None:
        text = "expected scheduled_interval or scheduled_times, got both"
        problems.append(Problem(id="E102", text=text, hint="Take one of the two lines out."))
        return Manual()
    try:
        if interval is not None:
            return parse_interval(interval)
    except ScheduleError as error:
        hint = "Write for example: scheduled_interval = timedelta(minutes=30)"
        problems.append(Problem(id="E103", text=f"scheduled_interval: {error}", hint=hint))
    try:
        if times is not None:
            return parse_times(times)
    except ScheduleError as error:
        hint = 'Write for example: scheduled_times = [time(9, 30), "18:30"]'
        problems.append(Problem(id="E104", text=f"scheduled_times: {error}", hint=hint))
    return Manual()


def _switch(values: Mapping[str, Any], name: str, problems: list[Problem]) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        problems.append(_problem("E105", f"True or False as {name}", value, f"Write: {name} = True"))
        return bool(value)
    return value


def _timeout(values: Mapping[str, Any], internal: bool, problems: list[Problem]) -> timedelta | None | Unset:
    if "timeout" not in values:
        return UNSET
    value = values["timeout"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        hint = f"Write: timeout = timedelta(seconds={text_of(value)[:20].removesuffix('.0')})"
        problems.append(_problem("E106", "a timedelta or None as timeout", value, hint))
    elif value is not None and not (isinstance(value, timedelta) and value > timedelta(0)):
        hint = "Write for example: timeout = timedelta(minutes=2)"
        problems.append(_problem("E107", "a positive timedelta or None as timeout", value, hint))
    elif internal and value is not None:
        hint = "Take the timeout out, or run the job outside the runner with internal = False."
        text = "expected no timeout on an internal job, which cannot be ended from outside"
        problems.append(Problem(id="E108", text=text, hint=hint))
    else:
        return None if value is None else timedelta(value.days, value.seconds, value.microseconds)
    return UNSET


def _next_jobs(values: Mapping[str, Any], problems: list[Problem]) -> tuple[str, ...]:
    value = values.get("trigger_next_jobs") or ()
    names = (value,) if isinstance(value, str) else value
    if isinstance(names, list | tuple) and all(isinstance(name, str) and name for name in names):
        return tuple(dict.fromkeys(names))
    hint = 'Write for example: trigger_next_jobs = "shop.match_payments"'
    problems.append(_problem("E109", "a name or a list of names as trigger_next_jobs", value, hint))
    return ()


def _args(values: Mapping[str, Any], problems: list[Problem]) -> tuple[str, ...]:
    value = values.get("args") or ()
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        hint = 'Write for example: args = ["--days", "30"]'
        problems.append(_problem("E110", "a list of texts as args", value, hint))
        return ()
    return tuple(str.__str__(item) for item in value)


def _queue(values: Mapping[str, Any], internal: bool, problems: list[Problem]) -> str:
    value = values.get("queue")
    if value is None:
        return ""
    if internal or not is_queue(value):
        hint = "Take the queue out." if internal else 'Write for example: queue = "reports"'
        expected = "no queue for an internal job" if internal else "the name of a queue as queue"
        problems.append(_problem("E115", expected, value, hint))
        return ""
    return str(value)


def args_problems(definition: JobDefinition, holding: tuple[str, ...]) -> tuple[Problem, ...]:
    """Say what is wrong with its arguments; apart, since making a parser takes longer than all else here.

    Args:
        holding: the arguments that hold, whether the class or the settings say them.
    """
    problems = []
    if refusal := args_refusal(definition, definition.args):
        hint = f"See what it takes: manage.py {definition.command} --help"
        problems.append(Problem(id="E111", text=refusal, hint=hint))
    reply = definition.reply(holding)
    if reply.verdict is Verdict.UNKNOWN:
        text = f"its add_arguments asks the database {reply.text}, so its args are not checked here"
        hint = "Ask it in handle(), where a database is sure to be there."
        problems.append(Problem(id="W103", text=text, hint=hint))
    elif why := unreadable(definition, holding):
        hint = f"It stays scheduled and fails at its fire times until this works: manage.py {definition.command} --help"
        problems.append(Problem(id="W104", text=why, hint=hint))
    return tuple(problems)


def args_refusal(definition: JobDefinition, args: tuple[str, ...]) -> str:
    """Return why the command does not take these arguments; empty when it does, or cannot be asked."""
    reply = definition.reply(args)
    return f"the command refuses args {list(args)!r}: {reply.text}" if reply.verdict is Verdict.REFUSED else ""


def unreadable(definition: JobDefinition, args: tuple[str, ...]) -> str:
    """Return why the command cannot even read these arguments, which breaks its job; empty when it can."""
    reply = definition.reply(args)
    return f"its arguments cannot be read: {reply.text}" if reply.verdict is Verdict.FAILED else ""


def _should_run(member: type, values: Mapping[str, Any], problems: list[Problem]) -> Callable[[], Any] | None:
    if values.get("should_run") is None:
        return None
    question: Callable[[], Any] | None = getattr(member, "should_run", None)
    if question is None or not callable(question) or not _needs_nothing(question):
        text = "expected a should_run that can be called without an instance"
        hint = "Write @staticmethod or @classmethod above def should_run."
        problems.append(Problem(id="E114", text=text, hint=hint))
        return None
    if _is_async(question):
        text = "expected a should_run that answers when it is called, got an async one"
        hint = "Write def, and asyncio.run(...) inside it where the question is asked of async code."
        problems.append(Problem(id="E116", text=text, hint=hint))
        return None
    return question


def _needs_nothing(question: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(question)
    except (Exception, SystemExit):  # a builtin does not tell, and a callable object may raise anything
        return True
    try:
        signature.bind()
    except TypeError:
        return False
    return True


def _is_async(question: Callable[..., Any]) -> bool:
    """Return whether it gives a promise instead of an answer, which would always count as yes."""
    code = question.func if isinstance(question, partial) else question
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    return any(kind(part) for kind in kinds for part in (code, type(code).__call__))
