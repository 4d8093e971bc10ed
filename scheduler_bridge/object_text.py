"""The text of objects that others made, whatever their own code does: none of it raises out of here."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from .plain import one_line

TEXT_LIMIT: Final = 64 * 1024  # characters of any text
LINE_LIMIT: Final = 500  # characters of a text for one line
# The same object has another address in each process, and nobody reads it.
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")


def text_of(thing: object) -> str:
    """Return ``str(thing)``, cut to a bound; what Python itself says of the object where that raises."""
    return _first(thing, str, object.__repr__)


def text_without_address(thing: object) -> str:
    """Return ``str(thing)`` without addresses of memory, the same in each process."""
    return _ADDRESS.sub("", _first(thing, str)) or f"<{qualified_type_name(thing)}>"


def repr_of(thing: object) -> str:
    """Return ``repr(thing)`` without addresses of memory, the same in each process."""
    return _ADDRESS.sub("", _first(thing, repr)) or f"<{qualified_type_name(thing)}>"


def repr_line(thing: object, limit: int = LINE_LIMIT) -> str:
    """Return ``repr(thing)`` in one plain line of bounded length."""
    return one_line(repr_of(thing), limit)


def type_name(thing: object) -> str:
    """Return the bare name of an object's type, whatever a metaclass makes of it."""
    name: str = type.__dict__["__name__"].__get__(type(thing))
    return name


def qualified_type_name(thing: object) -> str:
    """Return the name of an object's type with its module, unless it is one of Python's own."""
    found = type(thing)
    names = (type.__dict__[name].__get__(found) for name in ("__module__", "__qualname__"))
    with suppress(BaseException):  # a class may hold anything as its module
        module, name = names
        return name if module == "builtins" else f"{module}.{name}"
    return type_name(thing)


def error_text(error: object) -> str:
    """Return the type and the text of an error, as a traceback ends."""
    text = text_of(error)
    return f"{type_name(error)}: {text}" if text else type_name(error)


def error_line(error: BaseException, limit: int = LINE_LIMIT) -> str:
    """Return the type and the text of an error in one plain line of bounded length."""
    return one_line(_ADDRESS.sub("", error_text(error)), limit)


def _first(thing: object, *tellers: Callable[[object], str]) -> str:
    """Return the text of the first of these that gives one; empty where none does."""
    for tell in tellers:
        with suppress(BaseException):  # foreign code, which may even try to leave the process
            return str.__getitem__(tell(thing), slice(TEXT_LIMIT))
    return ""
