"""The history: read only, and fast at any size."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.messages import WARNING
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..models import Run, Status
from . import addresses, presentation, strip_words
from .export import ExportPage
from .keyset import KeysetList
from .run_filters import CauseFilter, DateFilter, JobFilter, MailFilter, PersonFilter, StatusFilter
from .run_page import RunPageAdmin
from .run_places import HostFilter, QueueFilter
from .timeline import TimelinePage

SHOWN = 200  # characters of a reason
NOTED = timedelta(seconds=1)  # a run that is less late leads to no explanation


class RunList(KeysetList):
    """The history, from new to old."""

    date_field = "scheduled_for"


@admin.register(Run)
class RunAdmin(TimelinePage, ExportPage, RunPageAdmin):
    """Every run and its output."""

    list_display = ("when", "what", "state", "took", "why")
    # Where several are chosen, the first leads through its index.
    list_filter = (
        MailFilter,
        JobFilter,
        PersonFilter,
        CauseFilter,
        StatusFilter,
        QueueFilter,
        HostFilter,
        DateFilter,
    )
    list_select_related = ("job",)
    list_per_page = 50
    search_fields = ("output", "reason")
    search_help_text = _("A text in the output or the reason.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they would count the table
    sortable_by = ()

    class Media:
        css: ClassVar = {"all": ("scheduler_bridge/admin.css", "scheduler_bridge/history.css")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        queryset = super().get_queryset(request)
        match = request.resolver_match
        if match and "object_id" in match.kwargs:
            parents = ("parent__output", "parent__warning")
            return queryset.select_related("job", "parent__job").defer(*parents)
        return queryset.defer("output", "warning")

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[KeysetList]:
        return RunList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if ERROR_FLAG in request.GET:
            self.message_user(request, _("The address asked for what cannot be found; all runs are shown."), WARNING)
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("due"))
    def when(self, run: Run) -> str:
        return presentation.near(run.scheduled_for, datetime.now(UTC))

    @admin.display(description=_("job"))
    def what(self, run: Run) -> Any:
        """Give the job, and below it where it was handed over to, and why the run was skipped or how it failed."""
        reason = format_html('<div class="sb-why">{}</div>', Truncator(run.reason).chars(SHOWN)) if run.reason else ""
        return format_html("{}{}{}", self.job_name(run), presentation.elsewhere(run), reason)

    @admin.display(description=_("duration"))
    def took(self, run: Run) -> Any:
        """Give how long it took; below that what was unusual, which leads to what went on around it."""
        notes = []
        if run.started_at is not None and run.started_at - run.scheduled_for >= NOTED:
            notes.append(gettext("%(span)s late") % {"span": presentation.late_by(run)})
        if run.coalesced and run.status == Status.SKIPPED:
            notes.append(strip_words.times(run.coalesced + 1))
        elif run.coalesced:
            notes.append(
                ngettext("%(number)d folded in", "%(number)d folded in", run.coalesced) % {"number": run.coalesced}
            )
        links = format_html_join(
            "", '<br><a class="sb-quiet" href="{}">{}</a>', ((addresses.surroundings(run), note) for note in notes)
        )
        return format_html("{}{}", presentation.duration(run), links)

    @admin.display(description=_("cause"))
    def why(self, run: Run) -> Any:
        return presentation.cause(run)

    @admin.display(description=_("job"))
    def job_name(self, run: Run) -> Any:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:scheduler_bridge_job_change", args=[run.job_id]), run.job.name
        )

    @admin.display(description=_("status"))
    def state(self, run: Run) -> Any:
        return presentation.status(run)
