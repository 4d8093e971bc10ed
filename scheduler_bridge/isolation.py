"""Foreign code that is only looked at: it reaches no database meanwhile, and nobody sees what it prints."""

import io
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, Final, NoReturn

from django.db import OperationalError, connections
from django.db.utils import load_backend
from django.utils.functional import SimpleLazyObject

# All ways to a database that a connection of Django has, beside those that go through these.
_DOORS: Final = ("connect", "ensure_connection", "temporary_connection", "cursor", "chunked_cursor")
_STREAMS: Final = ("stdout", "stderr")
_ABSENT: Final = object()
# Streams are the process's: two threads at a time would put back each other's.
_one_at_a_time = threading.RLock()


class DatabaseClosed(OperationalError):
    """A statement that was refused before its database could see it; code that expects no table handles it."""


class Isolation:
    """What holds for one thread while it looks at foreign code, and what that code wanted."""

    def __init__(self) -> None:
        self.asked = ""  # the alias of the first database it asked; empty: none
        self._thread = threading.get_ident()
        self._over = False

    def holds(self) -> bool:
        """Return whether the code that asks is the one that is looked at."""
        return not self._over and threading.get_ident() == self._thread

    def refuse(self, alias: str) -> NoReturn:
        """Note that a database was asked.

        Raises:
            DatabaseClosed: always.
        """
        self.asked = self.asked or alias
        raise DatabaseClosed(f"the database {alias} is not asked while commands are only looked at")

    def end(self) -> None:
        """Let what the code kept of it work as if nothing had been."""
        self._over = True


@contextmanager
def isolated() -> Iterator[Isolation]:
    """Keep what this thread does from every database and from the console; other threads see no difference."""
    with _one_at_a_time, ExitStack() as stack:
        isolation = Isolation()
        stack.callback(isolation.end)
        stack.enter_context(_databases_closed(isolation))
        for name in _STREAMS:
            stack.enter_context(_hushed(name, isolation))
        yield isolation


@contextmanager
def _databases_closed(isolation: Isolation) -> Iterator[None]:
    """Put others in place of this thread's connections, so that no transaction of theirs is touched.

    They are made when they are asked for: nobody loads the driver of a database that is not used.
    """
    own = {connection.alias: connection for connection in connections.all(initialized_only=True)}
    with ExitStack() as stack:
        for connection in own.values():  # a module may have kept it
            for name in _DOORS:
                door = _door(getattr(connection, name), connection.alias, isolation)
                stack.enter_context(_replaced(connection, name, door))
        stack.callback(_put_back, own)
        for alias in connections:
            stand_in: Any = SimpleLazyObject(partial(_closed, alias, isolation))
            connections[alias] = stand_in
        yield


def _put_back(own: dict[str, Any]) -> None:
    for alias in connections:
        with suppress(AttributeError):  # the code took it out itself
            del connections[alias]
        if alias in own:
            connections[alias] = own[alias]


def _closed(alias: str, isolation: Isolation) -> Any:
    """Return a connection as the backend makes it, apart from being closed; copies of it are closed, too."""
    values = connections.settings[alias]
    backend: Any = load_backend(values["ENGINE"]).DatabaseWrapper
    doors = {name: _method(getattr(backend, name), alias, isolation) for name in _DOORS}
    return type(backend.__name__, (backend,), doors)(values, alias)


def _method(open_: Callable[..., Any], alias: str, isolation: Isolation) -> Callable[..., Any]:
    return lambda connection, *args, **kwargs: _door(open_, alias, isolation)(connection, *args, **kwargs)


def _door(open_: Callable[..., Any], alias: str, isolation: Isolation) -> Callable[..., Any]:
    def door(*args: Any, **kwargs: Any) -> Any:
        return isolation.refuse(alias) if isolation.holds() else open_(*args, **kwargs)

    return door


@contextmanager
def _replaced(thing: Any, name: str, value: object) -> Iterator[None]:
    before = vars(thing).get(name, _ABSENT)
    setattr(thing, name, value)
    try:
        yield
    finally:
        vars(thing).pop(name, None)
        if before is not _ABSENT:
            setattr(thing, name, before)


@contextmanager
def _hushed(name: str, isolation: Isolation) -> Iterator[None]:
    before = getattr(sys, name)
    if before is not None:
        setattr(sys, name, _Hushed(before, isolation))
    try:
        yield
    finally:
        setattr(sys, name, before)


class _Hushed:
    """A stream that swallows what the isolated code prints, and passes on what other threads do."""

    def __init__(self, stream: Any, isolation: Isolation) -> None:
        self._stream, self._isolation = stream, isolation

    @property
    def buffer(self) -> Any:
        return io.BytesIO() if self._isolation.holds() else self._stream.buffer

    def write(self, text: str) -> int:
        return len(text) if self._isolation.holds() else self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
