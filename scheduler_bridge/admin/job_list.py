"""The list of jobs: a page of rows with their last runs, in two statements however many jobs there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Count, Window
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .. import past, registry, schedules
from ..models import Job
from ..past import PastRun, Usual
from . import bars, layers, light, presentation
from .light import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the list shows of one job."""

    job: Job
    runs: tuple[PastRun, ...]  # the newest first
    usual: Usual
    state: State
    now: datetime


class JobList(ChangeList):
    """The list, whose rows are counted by the statement that reads a page of them."""

    def get_results(self, request: HttpRequest) -> None:
        start = 0 if self.show_all else (self.page_num - 1) * self.list_per_page
        size = self.list_max_show_all if self.show_all else self.list_per_page
        rows: Any = self.queryset.annotate(sb_total=Window(Count("*")))
        found = list(rows[start : start + size])
        if not found and self.page_num > 1:
            raise IncorrectLookupParameters
        total = found[0].sb_total if found else 0
        if self.show_all and total > size:
            found = found[: self.list_per_page]
        self.result_count, self.full_result_count, self.show_full_result_count = total, None, False
        self.can_show_all, self.multi_page = total <= self.list_max_show_all, total > self.list_per_page
        self.show_admin_actions = True
        self.paginator = Paginator(range(total), self.list_per_page)
        self.result_list = found
        _attach(found, datetime.now(UTC))


def title(line: Line) -> SafeString:
    """Give the light, the name and the app of a job, and what is out of the ordinary."""
    job, notes = line.job, [line.job.app, *_queue(line.job), *_notes(line)]
    name = format_html('<span class="sb-name{}">{}</span>', " sb-removed" if job.removed_at else "", job.command)
    small = format_html_join("", '<span class="sb-small">{}</span>', ((note,) for note in notes))
    return format_html('<span class="sb-titled">{}<span>{}{}</span></span>', light.lamp(line.state), name, small)


def schedule(line: Line) -> SafeString:
    """Give the schedule in words, and who says it."""
    found = registry.plan_of(line.job).schedule
    said: list[Any] = [layers.SOURCES[found.source]]
    if line.job.override_until is not None:
        said.append(_("until %(moment)s") % {"moment": presentation.near(line.job.override_until, line.now)})
    small = format_html_join("", '<span class="sb-small">{}</span>', ((text,) for text in said))
    return format_html("{}{}", schedules.words(found.value), small)


def next_run(line: Line) -> str | SafeString:
    """Give when the job is due next, how far that is, and whether that one is to be left out."""
    job, moment = line.job, line.job.next_run_at
    if moment is None:
        return "-"
    near, countdown = presentation.near(moment, line.now), presentation.countdown(moment, line.now)
    if job.skip_next_at == moment:
        text = '<s>{}</s><span class="sb-small sb-note">{}</span>'
        return format_html(text, near, _("skipped once"))
    return format_html('{}<span class="sb-small">{}</span>', near, countdown)


def usual(line: Line) -> str | SafeString:
    """Give the usual duration, with a link to the runs, and the one that few of them exceed."""
    if line.usual.median is None:
        return "-"
    high = _("p95 %(span)s") % {"span": presentation.span(line.usual.p95)}
    link = '<a href="{}">{}</a><span class="sb-small">{}</span>'
    return format_html(link, runs_address(line.job.pk), presentation.span(line.usual.median), high)


def success(line: Line) -> str | SafeString:
    """Give the share of runs that succeeded, with a link to the runs."""
    if line.usual.success_rate is None:
        return "-"
    small = _("of %(count)d") % {"count": line.usual.count}
    link = '<a href="{}">{}</a><span class="sb-small">{}</span>'
    return format_html(link, runs_address(line.job.pk), percent(line.usual.success_rate), small)


def runs(line: Line) -> SafeString:
    """Draw the last runs."""
    return bars.drawn(line.runs, line.now)


def runs_address(job_id: int, more: str = "") -> str:
    """Give the address of the runs of a job in the history."""
    return f"{reverse('admin:scheduler_bridge_run_changelist')}?job={job_id}{more}"


def percent(share: float) -> str:
    """Give a share in whole percent, where all and none are only said when they are exact."""
    rounded = round(100 * share)
    if (rounded == 100 and share < 1) or (rounded == 0 and share > 0):
        rounded = 99 if share > 0.5 else 1
    return _("%(number)d %%") % {"number": rounded}


def _queue(job: Job) -> list[str]:
    name = registry.queue_of(job)
    return [_("queue %(queue)s") % {"queue": name}] if name else []


def _notes(line: Line) -> list[str]:
    job, found = line.job, []
    if job.broken_line:
        found.append(job.broken_line)
    if job.failing_since is not None:
        found.append(_("failing since %(moment)s") % {"moment": presentation.near(job.failing_since, line.now)})
    if not job.enabled and job.disabled_until is not None:
        found.append(_("disabled until %(moment)s") % {"moment": presentation.near(job.disabled_until, line.now)})
    elif not job.enabled and line.state != State.DISABLED:
        found.append(_("disabled"))
    if not job.enabled and job.disabled_reason:
        found.append(job.disabled_reason)
    return found


def _attach(jobs: Sequence[Any], now: datetime) -> None:
    """Give each row what the columns show of it."""
    found = past.recent([job.pk for job in jobs])
    for job in jobs:
        last = found.get(job.pk, ())
        state = light.state(job, last, now)
        job.line = Line(job=job, runs=last, usual=past.usual(last), state=state, now=now)
