"""Bytes, as fast as a pipe takes them: lines of a log."""

import os

LINE = b"2026-01-01 12:00:00 INFO fetched an invoice of a customer and matched it with a payment of the bank\n"
BLOCK = LINE * (64 * 1024 // len(LINE))


def pour(size: int) -> None:
    """Write at least so many bytes to standard output, past Python's buffers."""
    while size > 0:
        size -= os.write(1, BLOCK)
