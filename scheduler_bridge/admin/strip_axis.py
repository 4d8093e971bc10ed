"""The axis over the strips, and what every strip uses of it: the lines of the time, the present, the marks."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..models import Status
from ..timeline import Mark, Tick, Window
from . import strip_words
from .strip_shapes import extent, percent

HEIGHT: Final = 46
_EDGE: Final = 0.03  # nearer to an edge a label would be cut off
_ROOM: Final = 0.12  # the room of a day's name
MARKS: Final = {
    Status.FAILED: "M-5 0h10l-5 7z",
    Status.TIMED_OUT: "M-4 0h8v7h-8z",
    Status.ABANDONED: "M-5 0l3 0l2 2l2-2h3l-3.5 3.5l3.5 3.5h-3l-2-2l-2 2h-3l3.5-3.5z",
}


def axis(ticks: Sequence[Tick], window: Window) -> SafeString:
    """Draw the labels of the time, and keep the lines and marks that every strip uses."""
    return format_html(
        '<svg class="sb-axis" width="100%" height="{}" aria-hidden="true"><defs>{}</defs>{}{}</svg>',
        HEIGHT,
        _shared(ticks, window),
        format_html_join("", "{}", ((label,) for label in _labels(ticks, window))),
        _present_label(window),
    )


def mark(status: Status) -> SafeString:
    """Draw the mark of a failure by itself, for the legend."""
    shape = (
        '<svg class="sb-key" width="12" height="9" aria-hidden="true"><path class="sb-{}" transform="{}" d="{}"/></svg>'
    )
    return format_html(shape, status, "translate(6 1)", MARKS[status])


def _shared(ticks: Sequence[Tick], window: Window) -> SafeString:
    lines = format_html_join(
        "",
        '<line class="sb-{0}" x1="{1}" x2="{1}" y1="0" y2="100%"/>',
        ((tick.mark, percent(tick.place)) for tick in ticks),
    )
    present = window.place(window.now)
    future = format_html('<rect class="sb-future" x="{}" width="{}" height="100%"/>', *extent(present, 1.0))
    now = format_html('<line id="sb-now" class="sb-now" x1="{0}" x2="{0}" y1="0" y2="100%"/>', percent(present))
    marks = format_html_join("", '<path id="sb-mark-{}" d="{}"/>', MARKS.items())
    return format_html('<g id="sb-grid">{}{}</g>{}{}', future, lines, now, marks)


def _labels(ticks: Sequence[Tick], window: Window) -> Iterator[SafeString]:
    text = '<text class="sb-label sb-{}{}" x="{}" y="{}">{}</text>'
    days = [tick for tick in ticks if tick.mark == Mark.DAY]
    if (not days or days[0].place > _ROOM) and ticks:
        yield format_html(text, Mark.DAY, "", "0%", 11, strip_words.day(strip_words.local(window.start)))
    for number, tick in enumerate(days):
        if tick.place < 1 - _ROOM * 0.7:
            parity = " sb-odd" if number % 2 else ""
            yield format_html(text, Mark.DAY, parity, percent(tick.place), 11, strip_words.day(tick.local))
    for tick in ticks:
        if tick.mark == Mark.TIME and _EDGE < tick.place < 1 - _EDGE:
            yield format_html(text, Mark.TIME, "", percent(tick.place), 27, f"{tick.local:%H:%M}")
        if tick.mark == Mark.CLOCK:
            yield format_html(text, Mark.CLOCK, "", percent(tick.place), 42, strip_words.clock_change(tick))


def _present_label(window: Window) -> SafeString:
    if not window.start <= window.now < window.end:
        return SafeString("")
    text = _("now %(time)s") % {"time": f"{strip_words.local(window.now):%H:%M}"}
    return format_html('<text class="sb-label sb-now" x="{}" y="42">{}</text>', percent(window.place(window.now)), text)
