"""Output in the colours that its job gave it: the codes for these become classes, all other codes of terminals go.

What is shown is the text that `plain` gives, letter for letter; only how it looks is a matter of this file.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from ..plain import ESCAPES, plain

# The colours of a terminal in the order of ECMA-48, and how they look in xterm.
PALETTE: Final = {
    "black": (0, 0, 0),
    "red": (205, 0, 0),
    "green": (0, 205, 0),
    "yellow": (205, 205, 0),
    "blue": (0, 0, 238),
    "magenta": (205, 0, 205),
    "cyan": (0, 205, 205),
    "white": (229, 229, 229),
    "bright-black": (127, 127, 127),
    "bright-red": (255, 0, 0),
    "bright-green": (0, 255, 0),
    "bright-yellow": (255, 255, 0),
    "bright-blue": (92, 92, 255),
    "bright-magenta": (255, 0, 255),
    "bright-cyan": (0, 255, 255),
    "bright-white": (255, 255, 255),
}
NAMES: Final = tuple(PALETTE)
CUBE: Final = (0, 95, 135, 175, 215, 255)  # the steps of red, green and blue behind the first 16 of 256 colours
MOST: Final = 10_000  # pieces that may look different; the text behind them goes on without
_LOOKS: Final = re.compile(r"\x1b\[([0-9;:]*)m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """How letters look at a place."""

    colour: str = ""
    ground: str = ""
    bold: bool = False
    underline: bool = False

    @property
    def classes(self) -> str:
        """Give the classes of the style sheet; none for letters like all others."""
        ground = self.ground and f"on-{self.ground}"
        words = (self.colour, ground, self.bold and "bold", self.underline and "underline")
        return " ".join(f"sb-ansi-{word}" for word in words if word)


STEPS: Final[Mapping[int, Mapping[str, Any]]] = {
    0: {"colour": "", "ground": "", "bold": False, "underline": False},
    1: {"bold": True},
    22: {"bold": False},
    4: {"underline": True},
    24: {"underline": False},
    39: {"colour": ""},
    49: {"ground": ""},
    **{
        start + number: {"colour": NAMES[number + bright]}
        for start, bright in ((30, 0), (90, 8))
        for number in range(8)
    },
    **{
        start + number: {"ground": NAMES[number + bright]}
        for start, bright in ((40, 0), (100, 8))
        for number in range(8)
    },
}
CHOSEN: Final = {38: "colour", 48: "ground"}  # followed by one of 256 colours or by red, green and blue


def coloured(text: str) -> SafeString:
    """Give output as HTML: escaped, each piece with a look of its own in an element."""
    pieces = enumerate(_joined(text))
    return format_html_join(
        "", "{}", ((_shown(look if number < MOST else "", piece),) for number, (look, piece) in pieces)
    )


def _shown(look: str, piece: str) -> SafeString:
    return format_html('<span class="{}">{}</span>', look, piece) if look else escape(piece)


def _joined(text: str) -> Iterator[tuple[str, str]]:
    """Give the pieces of a text with their classes, neighbours that look alike as one."""
    last, pieces = "", list[str]()
    for look, piece in _pieces(text):
        if piece and look != last:
            yield last, "".join(pieces)
            last, pieces = look, []
        pieces.append(piece)
    yield last, "".join(pieces)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Give what stands between the codes, made plain, with its classes."""
    pen, end = Pen(), 0
    for code in ESCAPES.finditer(text):
        yield pen.classes, plain(text[end : code.start()])
        end = code.end()
        looks = _LOOKS.fullmatch(code[0])
        pen = _changed(pen, looks[1]) if looks else pen
    yield pen.classes, plain(text[end:])


def _changed(pen: Pen, code: str) -> Pen:
    words = _words(code)
    for word in words:
        change = {CHOSEN[word]: _chosen(words)} if word in CHOSEN else STEPS.get(word, {})
        pen = replace(pen, **change)
    return pen


def _words(code: str) -> Iterator[int]:
    """Give the numbers of a code; those of one colour may stand between colons, with its space before the red."""
    for part in code.split(";"):
        numbers = [int(word or 0) if len(word) < 4 else 255 for word in part.split(":")]
        if numbers[0] in CHOSEN and numbers[1:2] == [2] and len(numbers) > 5:
            del numbers[2]
        if numbers[0] == 4 and len(numbers) > 1:  # the kind of line; 0 is none
            numbers = [4 if numbers[1] else 24]
        yield from numbers


def _chosen(words: Iterator[int]) -> str:
    kind = next(words, 0)
    if kind == 5:
        return _of_256(min(255, next(words, 0)))
    if kind == 2:
        return _nearest(next(words, 0), next(words, 0), next(words, 0))
    return ""


def _of_256(number: int) -> str:
    if number < len(NAMES):
        return NAMES[number]
    if number >= 232:
        return _nearest(*[8 + 10 * (number - 232)] * 3)
    red, rest = divmod(number - 16, 36)
    return _nearest(CUBE[red], *(CUBE[step] for step in divmod(rest, 6)))


@lru_cache(maxsize=1024)
def _nearest(*wanted: int) -> str:
    """Give the one of the 16 colours that is most like this red, green and blue."""
    return min(
        NAMES, key=lambda name: sum((one - other) ** 2 for one, other in zip(wanted, PALETTE[name], strict=True))
    )
