"""The timeline: what every job did lately and will do next, as strips under one axis of time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from .. import conf, diagnosis, forecast, lease, timeline
from ..models import Job, Runner
from ..timeline import SPANS, USUAL, Block, Page, Strip, Window
from . import addresses, presentation, strip_axis, strip_table, strip_words, strips
from .run_filters import ANY_FAILURE

TITLES: Final = {
    "1h": gettext_lazy("1 hour"),
    "6h": gettext_lazy("6 hours"),
    "24h": gettext_lazy("24 hours"),
    "7d": gettext_lazy("7 days"),
}
EVENTS: Final = 40_000  # starts to come that are computed for one page


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an address asks for."""

    span: str
    at: datetime | None  # the middle of the window; None: the present
    query: str
    page: int
    problems: tuple[str, ...]  # what could not be understood

    def address(self, **changed: Any) -> str:
        """Give the address of the same window, but for what is changed."""
        return addresses.timeline(**{"span": self.span, "at": self.at, "query": self.query, **changed})


def asked(params: Mapping[str, str]) -> Asked:
    """Read the parameters of the page; what cannot be understood is left out and told."""
    problems = []
    span = params.get("span") or USUAL
    if span not in SPANS:
        problems.append(_("“%(text)s” is no span of time; expected one of %(spans)s.") % _quoted(span, spans=SPANS))
        span = USUAL
    at = None
    if text := params.get("at", "").strip():
        try:
            at = _moment(text)
        except (ValueError, OverflowError):
            problems.append(_("“%(text)s” is no moment; the present is shown.") % _quoted(text))
    page = params.get("p") or "1"
    if not (page.isascii() and page.isdigit() and len(page) < 10):
        problems.append(_("“%(text)s” is no page; the first one is shown.") % _quoted(page))
        page = "1"
    query = params.get("q", "").replace("\0", "").strip()[:200]
    return Asked(span=span, at=at, query=query, page=int(page), problems=tuple(problems))


def _quoted(text: str, **values: Any) -> dict[str, Any]:
    return {"text": text[:50], **{name: ", ".join(found) for name, found in values.items()}}


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace("\0", ""))
    if found.tzinfo is None:
        found = found.replace(tzinfo=conf.load().time_zone)
    if not timeline.FIRST <= found <= timeline.LAST:
        raise ValueError(text)
    return found.astimezone(UTC)


class TimelinePage(admin.ModelAdmin):
    """The page of the timeline, beside the history."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_safe(self.timeline_view))
        return [path("timeline/", view, name="scheduler_bridge_timeline"), *super().get_urls()]

    def timeline_view(self, request: HttpRequest) -> HttpResponse:
        """Show one window of time."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = datetime.now(UTC)
        wish = asked(request.GET)
        window = Window.around(wish.at or now, SPANS[wish.span], now)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Timeline"),
            "opts": self.opts,
            "asked": wish,
            "at_text": f"{strip_words.local(wish.at or now):%Y-%m-%dT%H:%M}",
            "problems": wish.problems,
            "spans": [(name, title, wish.address(span=name), name == wish.span) for name, title in TITLES.items()],
            "ways": _ways(wish, window),
            **_content(wish, window, may_see_jobs=request.user.has_perm("scheduler_bridge.view_job")),
        }
        return TemplateResponse(request, "scheduler_bridge/timeline.html", context)


def _ways(wish: Asked, window: Window) -> dict[str, str]:
    middle, half = window.start + window.span / 2, window.span / 2
    ways = {"now": wish.address(at=None)} if wish.at is not None else {}
    if middle - half >= timeline.FIRST:
        ways["earlier"] = wish.address(at=middle - half)
    if middle + half <= timeline.LAST:
        ways["later"] = wish.address(at=middle + half)
    return ways


def _content(wish: Asked, window: Window, *, may_see_jobs: bool) -> dict[str, Any]:
    jobs = list(Job.objects.using(conf.load().database).values_list("pk", "name", "removed_at"))
    reading = timeline.read(window, [pk for pk, _name, _removed in jobs])
    to_come, known_until = _to_come(window)
    seen = {block.job_id for block in reading.blocks}
    # A job that is gone is shown for what it did, and not missed where it did nothing.
    names = {pk: name for pk, name, removed in jobs if removed is None or pk in seen}
    shown = {pk: name for pk, name in names.items() if wish.query.lower() in name.lower()}
    page = timeline.lay_out(window, shown, reading.blocks, to_come, page=wish.page)
    ticks = timeline.ticks(window, conf.load().time_zone)
    return {
        "page": page,
        "pages": list(_pages(wish, page)),
        "axis": strip_axis.axis(ticks, window),
        "worker": strips.worker(page.worker, window, _closer(wish.span)),
        "worker_words": strip_words.busy(page.worker),
        "rows": [_row(item, window, may_see_jobs) for item in page.strips],
        "has_profiles": any(side.profile for item in page.strips for side in (item.done, item.to_come)),
        "legend": [(strip_axis.mark(status), status.label) for status in strip_axis.MARKS],
        "table": strip_table.table(page),
        "window_words": strip_words.stretch(window.start, window.end),
        "zone": str(conf.load().time_zone),
        "notes": list(_notes(window, reading.known_from, known_until)),
    }


def _row(item: Strip, window: Window, may_see_jobs: bool) -> dict[str, Any]:
    return {
        "name": item.name,
        "address": reverse("admin:scheduler_bridge_job_change", args=[item.job_id]) if may_see_jobs else "",
        "failed": item.failed,
        "failures": addresses.history(job_id=item.job_id, status=ANY_FAILURE, first=window.start, last=window.present),
        "picture": strips.strip(item, window),
    }


def _to_come(window: Window) -> tuple[list[Block], datetime]:
    """Give what the forecast says of the window, and how far it reaches."""
    if window.is_past:
        return [], window.end
    loads = forecast.loads(window.now)
    found = forecast.simulate(loads, window.now, window.end, limit=EVENTS)
    return timeline.to_come(found, loads, window), found.until


def _notes(window: Window, known_from: datetime, known_until: datetime) -> Iterator[str]:
    """Say what the picture leaves out, and why what it foretells may not come."""
    if known_from > window.start:
        text = _("There are too many runs to be read at once: those due before %(moment)s are left out.")
        yield text % {"moment": presentation.moment(known_from)}
    if known_until < window.end:
        text = _("So much is to come that the forecast ends at %(moment)s.")
        yield text % {"moment": presentation.moment(known_until)}
    if window.is_past:
        return
    runner = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW).first()
    if runner is not None and runner.held:
        yield _("The runner is on hold; the forecast assumes that it goes on now.")
    gate = diagnosis.runner_gate(lease.holder(), window.now)
    if not gate.passed:
        yield _("%(state)s; the forecast assumes that one works from now on.") % {"state": gate.text}


def _pages(wish: Asked, page: Page) -> Iterator[tuple[int, str, bool]]:
    if page.pages > 1:
        for number in range(1, page.pages + 1):
            yield number, wish.address(page=number), number == page.number


def _closer(span: str) -> str:
    """Give the next shorter span; the shortest has none."""
    names = list(SPANS)
    return names[names.index(span) - 1] if span != names[0] else ""
