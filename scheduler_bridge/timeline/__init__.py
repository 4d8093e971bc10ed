"""Runs and forecast of a window of time, laid out as strips; `read` asks the database, all else is over values."""

from .ahead import to_come
from .axis import Mark, Tick, ticks
from .blocks import Block, merged
from .profile import Profile
from .reading import Reading, read
from .strips import Cell, Page, Side, Strip, Worker, lay_out
from .window import COLUMNS, FIRST, LAST, SPANS, USUAL, Window

__all__ = [
    "COLUMNS",
    "FIRST",
    "LAST",
    "SPANS",
    "USUAL",
    "Block",
    "Cell",
    "Mark",
    "Page",
    "Profile",
    "Reading",
    "Side",
    "Strip",
    "Tick",
    "Window",
    "Worker",
    "lay_out",
    "merged",
    "read",
    "ticks",
    "to_come",
]
