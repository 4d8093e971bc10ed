"""Text as the columns of the database can hold it: what they cannot becomes an escape, what is too long is cut.

The one place that every text of ours passes before it is part of a statement: the fields of the models ask it. What a
database can hold is asked once for each process and alias.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from django.db import connections

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")  # what needs four bytes in UTF-8
# What MySQL's client writes in two bytes.
_DOUBLED: Final = re.compile("[\"'\\\\\n\r\x1a]")
TEXT_LIMIT: Final = 64 * 1024  # characters of a text without a limit of its own
ASKED_FROM: Final = 128 * 1024  # characters from which on the limit of a packet is asked for
_OTHERS: Final = 128 * 1024  # bytes that a packet needs for all else
# Names that Python does not know, or knows as another one.
_CODECS: Final = {
    "utf8": "bmp",
    "utf8mb3": "bmp",
    "ucs2": "bmp",
    "utf8mb4": "",
    "utf16": "",
    "utf16le": "",
    "utf32": "",
    "latin1": "cp1252",
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
    "ujis": "euc_jp",
    "eucjpms": "euc_jp",
    "UTF8": "",
    "SQL_ASCII": "",
    "EUC_CN": "gb2312",
    "KOI8R": "koi8_r",
    "KOI8U": "koi8_u",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a database can hold."""

    codec: str = ""  # of all columns, and of the connection; empty: all of Unicode
    columns: Mapping[tuple[str, str], str] = field(default_factory=dict)  # what single columns can, by table and name
    counts_bytes: bool = False  # a column's length is one of bytes
    packet: int | None = None  # bytes of the longest statement


def fit(text: str, alias: str, table: str, column: str, limit: int | None = TEXT_LIMIT) -> str:
    """Return a text as this column can hold it.

    Args:
        limit: of its length, in characters; None: as long as a statement can be.
    """
    # Bounded before it is looked at: it may be of any size.
    text = str.__getitem__(text, slice(limit))
    if text.isascii() and "\0" not in text and len(text) < ASKED_FROM:
        return text
    text = _SURROGATES.sub(_escape, text).replace("\0", "\\x00")
    if not text.isascii() or len(text) >= ASKED_FROM:
        room = of(alias)
        for codec in {room.codec, room.columns.get((table, column), "")} - {""}:
            text = _held(text, codec)
        if room.packet is not None:
            text = shortened(text, max(room.packet // 2, room.packet - _OTHERS))
        if room.counts_bytes and limit is not None:
            return text.encode()[:limit].decode("utf-8", "ignore")
    return text[:limit]


def shortened(text: str, limit: int) -> str:
    """Return head and tail of a text whose length in a statement of MySQL is more than so many bytes."""
    if (size := _cost(text)) <= limit:
        return text
    # Each part is cut by the share that fits, and again where its letters cost more than most.
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while _cost(head) > limit // 2:
        head = head[: max(0, int(len(head) * 0.98 * (limit // 2) / _cost(head)))]
    while _cost(tail) > limit // 2:
        tail = tail[len(tail) - max(0, int(len(tail) * 0.98 * (limit // 2) / _cost(tail))) :]
    left_out = len(text.encode()) - len(head.encode()) - len(tail.encode())
    return f"{head}\n[... {left_out} bytes left out ...]\n{tail}" if size else text


@cache
def of(alias: str) -> Room:
    """Return what this database can hold, asked once."""
    connection = connections[alias]
    if connection.vendor == "postgresql":
        ((encoding,),) = _ask(alias, "SHOW server_encoding")
        return Room(codec=_codec(encoding), counts_bytes=encoding == "SQL_ASCII")
    if connection.vendor == "mysql":
        ((client, packet),) = _ask(alias, "SELECT @@character_set_client, @@max_allowed_packet")
        rows = _ask(
            alias,
            "SELECT table_name, column_name, character_set_name FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND character_set_name IS NOT NULL "
            "AND (table_name LIKE 'scheduler_bridge%%' OR table_name LIKE 'django_apscheduler%%')",
        )
        columns = {(table, column): _codec(name) for table, column, name in rows}
        return Room(codec=_codec(client), columns=columns, packet=int(packet))
    return Room()


def _ask(alias: str, statement: str) -> list[tuple[Any, ...]]:
    with connections[alias].cursor() as cursor:
        cursor.execute(statement, [])
        return list(cursor.fetchall())


def _codec(name: str) -> str:
    """Return Python's name of what a database calls so; ASCII for what Python has not."""
    if name in _CODECS:
        return _CODECS[name]
    name = name.replace("WIN", "cp") if name.startswith("WIN") else name
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "ascii"


def _held(text: str, codec: str) -> str:
    if codec == "bmp":
        return _ASTRAL.sub(_escape, text)
    return text.encode(codec, "backslashreplace").decode(codec)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("ascii", "backslashreplace").decode()


def _cost(text: str) -> int:
    return len(text.encode()) + len(_DOUBLED.findall(text))
