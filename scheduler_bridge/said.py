"""What can be said of an object that others made, whatever its own texts do."""

import re
from collections.abc import Callable
from typing import Final

LONGEST: Final = 500  # characters
# The same object has another address in each process, and nobody reads it.
_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")


def said(value: object) -> str:
    """Return ``str(value)`` without addresses; the name of its type where that raises or gives no text."""
    return _text(str, value)


def shown(value: object) -> str:
    """Return ``repr(value)`` without addresses; the name of its type where that raises or gives no text."""
    return _text(repr, value)


def kind(value: object) -> str:
    """Return the name of a value's type; nothing of the value's own is run."""
    found = type(value)
    return found.__qualname__ if found.__module__ == "builtins" else f"{found.__module__}.{found.__qualname__}"


def cause(error: BaseException) -> str:
    """Return the type and the text of an error in one line."""
    text = " ".join(said(error).split())[:LONGEST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(tell: Callable[[object], str], value: object) -> str:
    try:
        return _ADDRESS.sub("", str.__str__(tell(value)))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"<{kind(value)}>"
