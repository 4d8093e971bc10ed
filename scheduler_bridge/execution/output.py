"""Bounded capture: any output is accepted, head and tail are kept, memory does not grow with it."""

import re
import threading
from typing import Final

# What a database or a terminal cannot take as it is; tab and line ends stay, and so does the escape of colours.
_UNREADABLE: Final = re.compile("\0|[\ud800-\udfff]")
# What is shown of the output of a run that goes on, half of it head and half tail: it is written twice a second.
PREVIEW: Final = 64 * 1024  # bytes


class Capture:
    """Keeps the first and the last half of what is written, at most ``limit`` bytes, and counts what is left out."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()  # a ring, once it is full
        self._oldest = 0  # where the ring begins
        self._total = 0
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Take in some bytes; safe from any thread."""
        with self._lock:
            self._total += len(data)
            view = memoryview(data)
            room = self._half - len(self._head)
            if room > 0:
                self._head += view[:room]
                view = view[room:]
            self._keep_last(view[-self._half :])

    def _keep_last(self, view: memoryview) -> None:
        room = self._half - len(self._tail)
        if room > 0:
            self._tail += view[:room]
            view = view[room:]
        while view:
            size = min(len(view), self._half - self._oldest)
            self._tail[self._oldest : self._oldest + size] = view[:size]
            self._oldest = (self._oldest + size) % self._half
            view = view[size:]

    @property
    def version(self) -> int:
        """A number that grows with each write."""
        return self._total

    def text(self) -> str:
        """Give what is kept as text: NUL bytes and broken UTF-8 escaped, within the limit after the escaping."""
        with self._lock:
            return self._text(self._half, self._limit, forget=False)

    def preview(self) -> str:
        """Give a shorter text of what was printed so far."""
        with self._lock:
            half, limit = min(self._half, PREVIEW // 2), min(self._limit, PREVIEW)
            return self._text(half, limit, forget=False)

    def take(self) -> str:
        """Give the text and forget it, piece by piece, so that little of it is in memory twice."""
        with self._lock:
            return self._text(self._half, self._limit, forget=True)

    def _text(self, half: int, limit: int, *, forget: bool) -> str:
        if self._total <= min(limit, 2 * self._half):
            whole = readable(self._head + self._tail)
            if _size(whole) <= limit:
                return whole
        last = _clip_front(readable(self._last(half)), half)
        if forget and self._tail:
            self._tail, self._oldest = bytearray(), 0
        first = _clip(readable(memoryview(self._head)[:half]), half)
        if forget:
            self._head = bytearray()
        left_out = self._total - min(self._total, _size(first) + _size(last))
        # All ASCII: one other character would make Python keep every one in two bytes.
        return f"{first}\n[... {left_out} bytes left out ...]\n{last}"

    def _last(self, size: int) -> bytes:
        if not self._tail:
            return bytes(self._head[-size:])
        begin = self._oldest + max(0, len(self._tail) - size)
        ring = memoryview(self._tail)
        if begin >= len(ring):
            return bytes(ring[begin - len(ring) : self._oldest])
        return b"".join((ring[begin:], ring[: self._oldest]))


def readable(data: bytes | bytearray | memoryview) -> str:
    """Decode bytes so that every database can keep them and a person can read them."""
    text = str(data, "utf-8", "backslashreplace")
    return _UNREADABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _clip(text: str, size: int) -> str:
    if _size(text) <= size:
        return text
    return text.encode()[:size].decode("utf-8", "ignore")


def _clip_front(text: str, size: int) -> str:
    if _size(text) <= size:
        return text
    return text.encode()[-size:].decode("utf-8", "ignore")
