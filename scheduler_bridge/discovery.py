"""Walks the commands of the project; one broken command never hides the rest."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from .definition import JobDefinition, Problem, define


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenCommand:
    """A command that cannot be loaded, and why."""

    app: str
    command: str
    error: str  # the traceback


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """All commands of the project, by what they are to us."""

    definitions: Mapping[str, JobDefinition]
    broken: Mapping[str, BrokenCommand]
    others: tuple[str, ...]  # commands that are no jobs

    def resolve(self, text: str) -> str | None:
        """Give the name of the job meant by "app.command" or "command"; None when there is none, or more than one."""
        names = [*self.definitions, *self.broken]
        if text in names:
            return text
        found = [name for name in names if name.rpartition(".")[2] == text]
        return found[0] if len(found) == 1 else None


@cache
def discover() -> Discovery:
    """Load every command once in this process and tell which are jobs."""
    definitions: dict[str, JobDefinition] = {}
    broken: dict[str, BrokenCommand] = {}
    others: list[str] = []
    for command, source in sorted(get_commands().items()):
        app = source if isinstance(source, str) else type(source).__module__.partition(".management.")[0]
        name = f"{app}.{command}"
        loaded = _load(app, command, source)
        if isinstance(loaded, BrokenCommand):
            broken[name] = loaded
            continue
        definition = define(app, command, loaded)
        if definition is None:
            others.append(name)
        else:
            definitions[name] = definition
    return Discovery(definitions=MappingProxyType(definitions), broken=MappingProxyType(broken), others=tuple(others))


def _load(app: str, command: str, source: str | BaseCommand) -> type[BaseCommand] | BrokenCommand:
    if not isinstance(source, str):
        return type(source)
    try:
        return type(load_command_class(app, command))
    except KeyboardInterrupt:
        raise
    except BaseException:  # a module may do anything at import, leave the process included
        return BrokenCommand(app=app, command=command, error=traceback.format_exc(limit=-3))


def chain_problems(found: Discovery) -> dict[str, tuple[Problem, ...]]:
    """Say which jobs name followers that are no jobs, or follow each other in a circle."""
    problems = {}
    for name, definition in found.definitions.items():
        texts = [_unknown(text) for text in definition.next_jobs if found.resolve(text) is None]
        loop = _loop(name, found)
        if loop:
            texts.append(
                Problem(
                    id="E113",
                    text=f"expected a chain that ends, got a circle: {' → '.join(loop)}",
                    hint="Take one of these names out of trigger_next_jobs.",
                )
            )
        if texts:
            problems[name] = tuple(texts)
    return problems


def _unknown(text: str) -> Problem:
    return Problem(
        id="E112",
        text=f'expected the name of one job in trigger_next_jobs, got: "{text}"',
        hint='Write "app.command" of a command that has a ScheduledJob class.',
    )


def _loop(name: str, found: Discovery) -> list[str]:
    """Give the circle that leads from this job back to it; empty when there is none."""
    paths = [[name]]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        definition = found.definitions.get(path[-1])
        for text in definition.next_jobs if definition else ():
            following = found.resolve(text)
            if following == name:
                return [*path, name]
            if following is not None and following not in seen:
                seen.add(following)
                paths.append([*path, following])
    return []
