"""Bounded capture: any output is accepted, head and tail are kept, memory does not grow with it."""

import re
import threading
from typing import Final

# What a database or a terminal cannot take as it is; tab and line ends stay, and so does the escape of colours.
_UNREADABLE: Final = re.compile("\0|[\ud800-\udfff]")


class Capture:
    """Keeps the first and the last half of what is written, at most ``limit`` bytes, and counts what is left out."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._limit = limit
        self._head, self._tail = bytearray(), bytearray()
        self._total = 0
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Take in some bytes; safe from any thread."""
        with self._lock:
            self._total += len(data)
            room = self._half - len(self._head)
            if room > 0:
                self._head += data[:room]
                data = data[room:]
            self._tail += data[-self._half :] if len(data) > self._half else data
            if len(self._tail) > 2 * self._half:
                del self._tail[: -self._half]

    @property
    def version(self) -> int:
        """A number that grows with each write."""
        return self._total

    def text(self) -> str:
        """Give what is kept as text: NUL bytes and broken UTF-8 escaped, within the limit after the escaping."""
        with self._lock:
            head, tail, total = bytes(self._head), bytes(self._tail), self._total
        if total <= len(head) + len(tail) and total <= self._limit:
            whole = readable(head + tail)
            if len(whole.encode()) <= self._limit:
                return whole
        tail = tail or head
        first = _clip(readable(head), self._half)
        last = _clip_front(readable(tail[-self._half :]), self._half)
        kept = min(total, len(first.encode()) + len(last.encode()))
        return f"{first}\n[… {total - kept} bytes left out …]\n{last}"


def readable(data: bytes) -> str:
    """Decode bytes so that every database can keep them and a person can read them."""
    text = data.decode("utf-8", "backslashreplace")
    return _UNREADABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _clip(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")


def _clip_front(text: str, size: int) -> str:
    data = text.encode()
    return data[max(0, len(data) - size) :].decode("utf-8", "ignore")
