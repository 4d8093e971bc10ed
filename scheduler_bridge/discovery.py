"""Walks the commands of the project; one broken command never hides the rest."""

import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from .definition import JobDefinition, Problem, define
from .object_text import error_line
from .plain import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenCommand:
    """A command that cannot be loaded, or whose ``ScheduledJob`` cannot be read, and why."""

    app: str
    command: str
    error: str  # the traceback


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """All commands of the project, by what they are to us."""

    definitions: Mapping[str, JobDefinition]
    broken: Mapping[str, BrokenCommand]
    others: tuple[str, ...]  # commands that are no jobs
    _by_command: Mapping[str, Sequence[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_command: dict[str, list[str]] = {}
        for name in (*self.definitions, *self.broken):
            by_command.setdefault(name.rpartition(".")[2], []).append(name)
        object.__setattr__(self, "_by_command", by_command)

    def resolve(self, text: str) -> str | None:
        """Give the name of the job meant by "app.command" or "command"; None when there is none, or more than one."""
        if text in self.definitions or text in self.broken:
            return text
        found = self._by_command.get(text, ())
        return found[0] if len(found) == 1 else None


@cache
def discover() -> Discovery:
    """Load every command once in this process and tell which are jobs."""
    definitions: dict[str, JobDefinition] = {}
    broken: dict[str, BrokenCommand] = {}
    others: list[str] = []
    for command, source in sorted(get_commands().items(), key=itemgetter(0)):
        app = source if isinstance(source, str) else type(source).__module__.partition(".management.")[0]
        name = f"{app}.{command}"
        found = _read(app, command, source)
        if isinstance(found, BrokenCommand):
            broken[name] = found
        elif found is None:
            others.append(name)
        else:
            definitions[name] = found
    return Discovery(definitions=MappingProxyType(definitions), broken=MappingProxyType(broken), others=tuple(others))


def _read(app: str, command: str, source: str | BaseCommand) -> JobDefinition | BrokenCommand | None:
    try:
        return define(app, command, type(load_command_class(app, command) if isinstance(source, str) else source))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may do anything at import, leave the process included
        return BrokenCommand(app=app, command=command, error=_trace(error))


def _trace(error: BaseException) -> str:
    try:
        return plain("".join(traceback.format_exception(error, limit=-3)))
    except BaseException:  # its text, notes and causes are foreign code, too
        return f"Traceback (most recent call last):\n{error_line(error)}"


def chain_problems(found: Discovery) -> dict[str, tuple[Problem, ...]]:
    """Say which jobs name followers that are no jobs, or follow each other in a circle."""
    problems: dict[str, tuple[Problem, ...]] = {}
    for name, definition in found.definitions.items():
        texts = tuple(_unknown(text) for text in definition.next_jobs if found.resolve(text) is None)
        if texts:
            problems[name] = texts
    following = _endless(found)
    for name in following:
        loop = _loop(name, following)
        if loop:
            problems[name] = (*problems.get(name, ()), _circle(loop))
    return problems


def _unknown(text: str) -> Problem:
    return Problem(
        id="E112",
        text=f'expected the name of one job in trigger_next_jobs, got: "{text}"',
        hint='Write "app.command" of a command that has a ScheduledJob class.',
    )


def _circle(loop: list[str]) -> Problem:
    return Problem(
        id="E113",
        text=f"expected a chain that ends, got a circle: {' → '.join(loop)}",
        hint="Take one of these names out of trigger_next_jobs.",
    )


def _endless(found: Discovery) -> dict[str, list[str]]:
    """Give the jobs whose chain never ends, each with its followers among them.

    They are what remains when the ends of all chains are taken off until there is none.
    """
    following = {name: _followers(definition, found) for name, definition in found.definitions.items()}
    leading: dict[str, list[str]] = {}
    for name, next_names in following.items():
        for next_ in next_names:
            leading.setdefault(next_, []).append(name)
    ends = [name for name, next_names in following.items() if not next_names]
    open_ = {name: len(next_names) for name, next_names in following.items()}
    while ends:
        for name in leading.get(ends.pop(), ()):
            open_[name] -= 1
            if not open_[name]:
                ends.append(name)
    return {name: [next_ for next_ in following[name] if open_[next_]] for name in following if open_[name]}


def _followers(definition: JobDefinition, found: Discovery) -> list[str]:
    names = (found.resolve(text) for text in definition.next_jobs)
    return [name for name in names if name is not None and name in found.definitions]


def _loop(name: str, following: Mapping[str, Sequence[str]]) -> list[str]:
    """Give the circle that leads from this job back to it; empty when there is none."""
    paths = [[name]]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        for next_ in following[path[-1]]:
            if next_ == name:
                return [*path, name]
            if next_ not in seen:
                seen.add(next_)
                paths.append([*path, next_])
    return []


def module_source(module: str) -> str:
    """Return the source of a loaded module as its file holds it now; empty where it has none that can be read."""
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is None:
        return ""
    try:
        return Path(path).read_text(errors="backslashreplace")
    except OSError:
        return ""
