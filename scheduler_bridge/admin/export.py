"""The history as CSV: what the list shows under its filters, whole, row by row as it is read."""

import csv
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any, Final, cast

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from .. import conf
from .keyset import KeysetList

BATCH: Final = 1_000  # rows read, and sent, at a time
# A spreadsheet would take a text that begins so for a formula.
DANGEROUS: Final = frozenset("=+-@\t\r\n")
# The names of the columns, the same in every language, and what they are read from.
COLUMNS: Final = {
    "run": "id",
    "job": "job__name",
    "status": "status",
    "cause": "cause",
    "requested_by": "requested_by",
    "after_run": "parent_id",
    "due": "scheduled_for",
    "started": "started_at",
    "finished": "finished_at",
    "fire_times_folded_in": "coalesced",
    "exit_code": "exit_code",
    "reason": "reason",
    "host": "host",
    "queue": "queue",
    "handed_over": "handed_at",
    "cpu_seconds": "cpu_seconds",
    "peak_memory_bytes": "peak_memory",
    "cancelled_by": "cancel_by",
    "mail": "report",
}
SPANS: Final = ("waited_seconds", "ran_seconds")  # computed, behind the others
TEXTS: Final = ("job", "status", "cause", "requested_by", "reason", "host", "queue", "cancelled_by", "mail")
MOMENTS: Final = ("due", "started", "finished", "handed_over")
_TEXTS, _MOMENTS = (tuple(list(COLUMNS).index(name) for name in names) for names in (TEXTS, MOMENTS))


class ExportPage(admin.ModelAdmin):
    """The history to take away, beside its list."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_safe(self.export_view))
        return [path("export/", view, name="scheduler_bridge_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Send the runs of the list as CSV, without their output."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:scheduler_bridge_run_changelist") + "?e=1")
        chunks = lines(cast(KeysetList, found), conf.load().local)
        today = conf.load().local(datetime.now(UTC))
        return StreamingHttpResponse(
            _stepwise(chunks) if isinstance(request, ASGIRequest) else chunks,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="runs-{today:%Y-%m-%d}.csv"'},
        )


def lines(found: KeysetList, local: Callable[[datetime], datetime]) -> Iterator[str]:
    """Give the lines of the file, many at a time; no more than one batch of rows is ever held."""
    yield _written([[*COLUMNS, *SPANS]])
    for batch in found.batches(BATCH, *COLUMNS.values()):
        if batch:
            yield _written([_cells(row, local) for row in batch])


async def _stepwise(chunks: Iterator[str]) -> AsyncIterator[str]:
    """Read one batch after the other beside the event loop; Django would take them all at once."""
    while (chunk := await sync_to_async(_next)(chunks)) is not None:
        yield chunk


def _next(chunks: Iterator[str]) -> str | None:
    return next(chunks, None)


def _written(rows: list[list[object]]) -> str:
    text = StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cells(row: tuple[Any, ...], local: Callable[[datetime], datetime]) -> list[object]:
    cells = list(row[: len(COLUMNS)])
    due, started, finished, _handed = (cells[place] for place in _MOMENTS)
    for place in _TEXTS:
        if cells[place][:1] in DANGEROUS:
            cells[place] = f"'{cells[place]}"
    for place in _MOMENTS:
        if cells[place] is not None:
            cells[place] = local(cells[place]).isoformat(timespec="milliseconds")
    return [*cells, _seconds(due, started), _seconds(started, finished)]


def _seconds(start: datetime | None, end: datetime | None) -> str:
    if start is None or end is None:
        return ""
    return f"{max(0.0, (end - start).total_seconds()):.3f}"
