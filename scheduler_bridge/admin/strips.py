"""Strips as SVG: places are shares of the width, so that they fit any screen, and colours are classes.

The text beside a bar is its ``<title>``; the table under the picture says the same to those who cannot see it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ..models import Status
from ..timeline import COLUMNS, Block, Cell, Profile, Side, Strip, Window, Worker
from . import addresses, strip_words
from .strip_axis import MARKS
from .strip_shapes import LEAST, percent, rect

HEIGHT: Final = 26
WORKER_HEIGHT: Final = 40
_APART: Final = 0.016  # between two marks of failures


def strip(item: Strip, window: Window) -> SafeString:
    """Draw one job."""
    return format_html(
        '<svg class="sb-strip" role="group" aria-label="{}" width="100%" height="{}"><use href="#sb-grid"/>'
        "{}{}{}</svg>",
        strip_words.label(item),
        HEIGHT,
        _side(item.done, item.job_id, window),
        _side(item.to_come, item.job_id, window),
        _present(window),
    )


def worker(item: Worker, window: Window, closer: str) -> SafeString:
    """Draw how busy the one worker was and will be; its parts lead to a window of the span ``closer``, if any."""
    drawing = (
        '<svg class="sb-strip sb-worker" role="group" aria-label="{}" width="100%" height="{}"><use href="#sb-grid"/>'
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" width="100%" height="{}">'
        '<path class="sb-busy" d="{}"/><path class="sb-busy sb-plan" d="{}"/></svg>{}{}</svg>'
    )
    return format_html(
        drawing,
        strip_words.worker(item),
        WORKER_HEIGHT,
        COLUMNS,
        WORKER_HEIGHT,
        WORKER_HEIGHT,
        _area(item.done),
        _area(item.to_come),
        _present(window),
        format_html_join("", "{}", ((part,) for part in _parts(item, window, closer))),
    )


def _present(window: Window) -> SafeString:
    return SafeString('<use href="#sb-now"/>' if window.start <= window.now < window.end else "")


# One side of a strip


def _side(side: Side, job_id: int, window: Window) -> SafeString:
    bars = format_html_join("", "{}", ((_bar(block, window),) for block in side.bars))
    cells = format_html_join("", "{}", ((_cell(cell, job_id, window),) for cell in side.cells))
    is_to_come = bool(side.cells) and side.cells[0].is_to_come
    return format_html("{}{}{}", _profile(side.profile, is_to_come) if side.profile else "", bars, cells)


def _bar(block: Block, window: Window) -> SafeString:
    """Draw one run, or a few that lie in one column: waiting before running."""
    begun, until = window.place(block.began(window.now)), window.place(block.until(window.now))
    due = window.place(block.due)
    shapes: list[SafeString] = []
    if block.status == Status.SKIPPED:
        shapes += _skipped(block, due, until)
    else:
        if block.waited:
            shapes.append(rect("sb-wait sb-plan" if block.is_to_come else "sb-wait", due, begun, 8, 11))
        shapes.append(_ran(block, begun, until, due))
    if block.status in MARKS:
        shapes.append(format_html('<use class="sb-{0}" href="#sb-mark-{0}" x="{1}"/>', block.status, percent(until)))
    shapes.append(rect("sb-hit", due, until, 0, HEIGHT))
    inside = format_html("<title>{}</title>{}", strip_words.bar(block), format_html_join("", "{}", zip(shapes)))
    return _linked(addresses.of_block(block), inside)


def _skipped(block: Block, due: float, until: float) -> Iterator[SafeString]:
    """Draw skips in a row as one band; a single one may have waited before it was decided."""
    if block.skips == 1 and until - due > LEAST:
        yield rect("sb-wait", due, until, 8, 11)
    yield rect("sb-skip sb-skipped", due if block.folded else until, until, 17, 5)


def _ran(block: Block, begun: float, until: float, due: float) -> SafeString:
    if block.is_to_come:
        return rect("sb-ran sb-plan", begun, until, 6, 14) if block.started else SafeString("")
    if block.started is None:
        # It did not run: it waits, or was called off.
        return rect(f"sb-tick sb-{block.status}", until, until, 6, 14)
    return rect(f"sb-ran sb-{block.status}", begun, until, *((4, 18) if block.is_failure else (6, 14)))


def _cell(cell: Cell, job_id: int, window: Window) -> SafeString:
    shape = rect("sb-cell", window.place(cell.start), window.place(cell.end), 0, HEIGHT)
    inside = format_html("<title>{}</title>{}", strip_words.cell(cell), shape)
    return _linked(addresses.of_cell(job_id, cell), inside)


def _linked(address: str, inside: SafeString) -> SafeString:
    if not address:
        return format_html("<g>{}</g>", inside)
    # Hundreds of stops would be in the way of the keyboard; the table has the same links.
    return format_html('<a href="{}" tabindex="-1">{}</a>', address, inside)


def _profile(profile: Profile, is_to_come: bool) -> SafeString:
    plan = " sb-plan" if is_to_come else ""
    rows: list[tuple[str, float, tuple[tuple[int, int], ...]]] = []
    for level, stretches in enumerate(profile.waited, start=1):
        rows.append((f"sb-wait sb-wait-{level}{plan}", 12, stretches))
    for level, stretches in enumerate(profile.ran, start=1):
        rows.append((f"sb-ran sb-succeeded sb-level-{level}{plan}", 20 - 2.5 * level, stretches))
    rows += [("sb-fail", 12, profile.failed), ("sb-skip sb-skipped", 22, profile.skipped)]
    drawn = ((name, _d(y, found)) for name, y, found in rows if found)
    paths = format_html_join("", '<path class="sb-profile {}" d="{}"/>', drawn)
    return format_html(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" width="100%" height="{}">{}</svg>'
        '<g class="sb-marks">{}</g>',
        COLUMNS,
        HEIGHT,
        HEIGHT,
        paths,
        format_html_join("", '<use href="#sb-mark-failed" x="{}"/>', _marks(profile)),
    )


def _marks(profile: Profile) -> Iterator[tuple[str]]:
    """Give the places of marks for the failures, none over another."""
    last = -1.0
    for first, length in profile.failed:
        place = (first + length / 2) / COLUMNS
        if place - last >= _APART:
            last = place
            yield (percent(place),)


def _d(y: float, stretches: Iterable[tuple[int, int]]) -> str:
    """Give a line with gaps; its thickness is that of its class."""
    parts, end = [f"M0 {y:g}"], 0
    for first, length in stretches:
        parts.append(f"m{first - end} 0h{length}")
        end = first + length
    return "".join(parts)


# The worker


def _area(shares: Sequence[float]) -> str:
    """Give the outline of an area as high as these shares, which are rounded to whole points."""
    parts, height = [f"M0 {WORKER_HEIGHT}"], 0
    run = 0
    for share in (*shares, 0.0):
        wanted = -(-round(share * WORKER_HEIGHT * 100) // 100)
        if wanted != height:
            parts += [f"h{run}", f"v{height - wanted}"]
            height, run = wanted, 0
        run += 1
    return "".join(parts).replace("h0", "") + "z"


def _parts(item: Worker, window: Window, closer: str) -> Iterator[SafeString]:
    number = 24
    for place in range(number):
        columns = slice(place * COLUMNS // number, (place + 1) * COLUMNS // number)
        shares = [max(pair) for pair in zip(item.done[columns], item.to_come[columns], strict=True)]
        start = window.start + window.span * place / number
        end = window.start + window.span * (place + 1) / number
        title = format_html("<title>{}</title>", strip_words.busy_part(start, end, sum(shares) / len(shares)))
        shape = rect("sb-cell", place / number, (place + 1) / number, 0, WORKER_HEIGHT)
        address = addresses.timeline(span=closer, at=start + (end - start) / 2) if closer else ""
        yield _linked(address, format_html("{}{}", title, shape))
