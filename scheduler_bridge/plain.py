"""Text of jobs made harmless: what steers a terminal or turns the direction of reading is taken out."""

import re
import unicodedata
from typing import Final

# The sequences of ECMA-48: CSI, OSC with its text, and the short ones.
ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
# Explicit directions of Unicode's bidirectional algorithm, by which a text can look like another.
_DIRECTIONS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# What is looked at of a text that ends as one line: cleaning may take most of it out.
_LOOKED_AT: Final = 20  # times as much as is kept


def plain(text: str) -> str:
    """Take terminal codes, control characters and directions out; tabs and line ends stay.

    Half a surrogate pair, as in names of files that are no UTF-8, becomes an escape: no database takes it.
    """
    text = ESCAPES.sub("", text).replace("\r\n", "\n").encode("utf-8", "backslashreplace").decode()
    return "".join(letter for letter in text if letter in "\n\t" or not _is_harmful(letter))


def one_line(text: str, limit: int) -> str:
    """Give the text as one plain line of at most so many characters."""
    text = text[: limit * _LOOKED_AT]
    return " ".join(plain(" ".join(text.split())).split())[:limit]


def _is_harmful(letter: str) -> bool:
    return letter in _DIRECTIONS or unicodedata.category(letter) == "Cc"
