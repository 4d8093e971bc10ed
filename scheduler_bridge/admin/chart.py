"""The durations of a job's last runs over time, with its failures and with the deployments."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import conf
from ..models import Deployment, Status
from ..past import PastRun
from . import bars, presentation, scale
from .scale import Spans

COUNT: Final = 100  # runs
HEIGHT: Final = 190
TOP: Final = 14
FLOOR: Final = 162  # where the axis of time is
DAY: Final = timedelta(days=1)
# One shape for each status, drawn around its place, so that none differs by its colour alone.
_SHAPES: Final = {
    Status.SUCCEEDED: "M-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0",
    Status.FAILED: "M-4.5-4.5L4.5 4.5M4.5-4.5L-4.5 4.5",
    Status.TIMED_OUT: "M0-5.5L5.5 0L0 5.5L-5.5 0z",
    Status.ABANDONED: "M-4.5-4.5h9v9h-9z",
    Status.CANCELLED: "M-5 0h10",
    Status.RUNNING: "M-3.5-5L5.5 0L-3.5 5z",
}


def deployments(first: datetime, last: datetime) -> list[Deployment]:
    """Give the deployments between two moments."""
    return list(Deployment.objects.using(conf.load().database).filter(at__range=(first, last)))


def drawn(runs: Sequence[PastRun], median: timedelta | None, now: datetime, address: str) -> SafeString:
    """Draw these runs, given from the newest to the oldest; ``address`` is that of the job's runs in the history."""
    shown = [run for run in reversed(runs) if run.status in _SHAPES and run.started_at is not None]
    if not shown:
        return format_html('<p class="sb-quiet">{}</p>', _("No run has been measured yet."))
    first, last = _at(shown[0]), max(map(_at, shown))
    spans, changes = scale.for_spans([bars.elapsed(run, now) for run in shown]), deployments(first, last)
    marks = (((1 - place) * (FLOOR - TOP) + TOP, text) for place, text in spans.marks())
    axis = format_html_join("", '<text x="52" y="{}">{}</text>', ((f"{y + 4:.0f}", text) for y, text in marks))
    return format_html(
        '<div class="sb-chart"><svg class="sb-axis" width="58" height="{}" aria-hidden="true">{}</svg>'
        '<svg class="sb-plot" height="{}" role="group" aria-label="{}">{}{}{}{}{}{}</svg></div>{}',
        HEIGHT,
        axis,
        HEIGHT,
        _summary(shown, first, last, changes),
        _shapes(),
        _grid(spans),
        _usual(spans, median),
        _deployed(changes, first, last),
        format_html_join("", _POINT, _points(shown, spans, first, last, now)),
        _times(first, last),
        _legend(shown, spans, median, changes, address),
    )


_POINT: Final = (
    '<a href="{}" tabindex="-1"><use href="#sb-shape-{}" class="sb-p-{}" x="{}%" y="{}"/><title>{}</title></a>'
)


def _at(run: PastRun) -> datetime:
    return run.started_at or run.scheduled_for


def _across(moment: datetime, first: datetime, last: datetime) -> str:
    """Say where a moment stands between the two, in percent of the width."""
    share = (moment - first) / (last - first) if last > first else 0.5
    return f"{1.5 + 97 * share:.2f}"


def _down(spans: Spans, span: timedelta) -> str:
    return f"{FLOOR - spans.place(span) * (FLOOR - TOP):.1f}"


def _points(
    runs: Iterable[PastRun], spans: Spans, first: datetime, last: datetime, now: datetime
) -> Iterator[tuple[str, ...]]:
    prefix = bars.runs_address()
    for run in runs:
        across, down = _across(_at(run), first, last), _down(spans, bars.elapsed(run, now))
        yield bars.address(run, prefix), run.status, run.status, across, down, bars.title(run, now)


def _shapes() -> SafeString:
    # Around each is room to be pointed at.
    hit = '<circle r="7" fill="none" stroke="none" pointer-events="all"/>'
    shape = '<g id="sb-shape-{}">' + hit + '<path d="{}"/></g>'
    return format_html("<defs>{}</defs>", format_html_join("", shape, _SHAPES.items()))


def _grid(spans: Spans) -> SafeString:
    places = ((f"{FLOOR - place * (FLOOR - TOP):.1f}",) * 2 for place, _text in spans.marks())
    return format_html_join("", '<line class="sb-grid" x1="0" x2="100%" y1="{}" y2="{}"/>', places)


def _usual(spans: Spans, median: timedelta | None) -> SafeString:
    if median is None:
        return SafeString()
    down = _down(spans, median)
    return format_html('<line class="sb-usual" x1="0" x2="100%" y1="{}" y2="{}"/>', down, down)


def _deployed(changes: Iterable[Deployment], first: datetime, last: datetime) -> SafeString:
    line = (
        '<g class="sb-deployed"><line x1="{}%" x2="{}%" y1="{}" y2="{}"/><svg x="{}%" y="{}" overflow="visible">'
        '<path d="M-5-8h10l-5 8z"/></svg><title>{}</title></g>'
    )
    rows = []
    for change in changes:
        across = _across(change.at, first, last)
        values = {"moment": presentation.moment(change.at), "code": change.code[:12]}
        text = _("Deployment at %(moment)s: code %(code)s") % values
        rows.append((across, across, TOP, FLOOR, across, TOP, text))
    return format_html_join("", line, rows)


def _times(first: datetime, last: datetime) -> SafeString:
    form = "%Y-%m-%d" if last - first > 60 * DAY else "%m-%d %H:%M"
    anchors = {0.0: ("0", "start"), 0.5: ("50%", "middle"), 1.0: ("100%", "end")}
    words = (
        (*anchors[place], HEIGHT - 8, conf.load().local(moment).strftime(form))
        for place, moment in scale.moments(first, last)
    )
    return format_html_join("", '<text x="{}" text-anchor="{}" y="{}">{}</text>', words)


def _summary(runs: Sequence[PastRun], first: datetime, last: datetime, changes: Sequence[Deployment]) -> str:
    text = _("Durations from %(first)s to %(last)s, %(counted)s; %(deployments)s") % {
        "first": presentation.moment(first),
        "last": presentation.moment(last),
        "counted": bars.counted(runs),
        "deployments": _deployments_counted(changes),
    }
    return str(text)


def _deployments_counted(changes: Sequence[Deployment]) -> str:
    return ngettext("%d deployment", "%d deployments", len(changes)) % len(changes)


def _legend(
    runs: Sequence[PastRun], spans: Spans, median: timedelta | None, changes: Sequence[Deployment], address: str
) -> SafeString:
    numbers = Counter(run.status for run in runs)
    statuses = [status for status in _SHAPES if numbers[status]]
    rows: list[tuple[str, str, str]] = [
        (_SHAPES[status], f"sb-p-{status}", _linked(status, numbers[status], address)) for status in statuses
    ]
    if median is not None:
        rows.append(("M-8 0h16", "sb-usual", _("usually %(span)s") % {"span": presentation.span(median)}))
    if changes:
        rows.append(("M-5-4h10l-5 8z", "sb-deployed", _deployments_counted(changes)))
    sign = '<li><svg class="sb-sign" viewBox="-8 -8 16 16" aria-hidden="true"><path d="{}" class="{}"/></svg>{}</li>'
    signs = format_html_join("", sign, rows)
    note = _("Each line stands for several times the span of the one below it.") if spans.is_of_powers else ""
    return format_html('<ul class="sb-legend">{}<li>{}</li></ul>', signs, note)


def _linked(status: Status, number: int, address: str) -> SafeString:
    return format_html('<a href="{}&amp;status__exact={}">{} {}</a>', address, status, number, status.label)
