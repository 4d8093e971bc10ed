"""The history: read only, and fast at any size."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from ..models import Run
from . import presentation
from .keyset import KeysetList
from .read_only import ReadOnlyAdmin
from .run_filters import CauseFilter, DateFilter, JobFilter, MailFilter, PersonFilter


class RunList(KeysetList):
    """The history, from new to old."""

    date_field = "scheduled_for"


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Every run and its output."""

    list_display = ("when", "job_name", "state", "duration", "why", "reason")
    # Where several are chosen, the first leads through its index.
    list_filter = (MailFilter, JobFilter, PersonFilter, CauseFilter, "status", DateFilter)
    list_select_related = ("job",)
    list_per_page = 50
    search_fields = ("output", "reason")
    search_help_text = _("A text in the output or the reason.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # they would count the table
    sortable_by = ()
    fields = (
        "job_name",
        "state",
        "reason",
        "cause",
        "requested_by",
        "after",
        "followed_by",
        "due",
        "started",
        "late",
        "finished",
        "duration",
        "coalesced",
        "exit_code",
        "host",
        "mail",
        "warning",
        "text",
    )

    class Media:
        css: ClassVar = {"all": ("scheduler_bridge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        queryset = super().get_queryset(request)
        match = request.resolver_match
        if match and "object_id" in match.kwargs:
            parents = ("parent__output", "parent__warning")
            return queryset.select_related("job", "parent__job").defer(*parents)
        return queryset.defer("output", "warning")

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[KeysetList]:
        return RunList

    @admin.display(description=_("due"))
    def when(self, run: Run) -> str:
        return presentation.near(run.scheduled_for, datetime.now(UTC))

    @admin.display(description=_("cause"))
    def why(self, run: Run) -> Any:
        return presentation.cause(run)

    @admin.display(description=_("due"))
    def due(self, run: Run) -> str:
        return presentation.moment(run.scheduled_for)

    @admin.display(description=_("started"))
    def started(self, run: Run) -> str:
        return presentation.moment(run.started_at)

    @admin.display(description=_("finished"))
    def finished(self, run: Run) -> str:
        return presentation.moment(run.finished_at)

    @admin.display(description=_("job"))
    def job_name(self, run: Run) -> Any:
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:scheduler_bridge_job_change", args=[run.job_id]), run.job.name
        )

    @admin.display(description=_("status"))
    def state(self, run: Run) -> Any:
        return presentation.status(run)

    @admin.display(description=_("late by"))
    def late(self, run: Run) -> str:
        return presentation.late_by(run)

    @admin.display(description=_("duration"))
    def duration(self, run: Run) -> str:
        return presentation.duration(run)

    @admin.display(description=_("after the run"))
    def after(self, run: Run) -> Any:
        return _link(run.parent) if run.parent else "-"

    @admin.display(description=_("followed by"))
    def followed_by(self, run: Run) -> Any:
        links = ((_link(chained),) for chained in run.chained.select_related("job").defer("output", "warning"))
        return format_html_join("", "{}<br>", links) or "-"

    @admin.display(description=_("mail"))
    def mail(self, run: Run) -> str:
        return presentation.mail(run)

    @admin.display(description=_("output"))
    def text(self, run: Run) -> Any:
        return presentation.output(run.output)


def _link(run: Run) -> Any:
    address = reverse("admin:scheduler_bridge_run_change", args=[run.pk])
    return format_html('<a href="{}">{} {}</a>', address, run.job.name, presentation.moment(run.scheduled_for))
