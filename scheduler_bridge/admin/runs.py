"""The history: read only, and fast at any size."""

from datetime import UTC, datetime
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Max, Min, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from ..models import Job, Run
from . import presentation
from .read_only import ReadOnlyAdmin

COUNTED = 5_000  # rows a filtered list counts; nobody turns more pages, and counting all would read the table


class UncountedPaginator(Paginator):
    """Turns pages without counting the table: the whole list goes by its first and last id, a filtered one is counted
    up to a limit."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, QuerySet):
            return len(rows)
        if rows.query.where:
            return int(rows.order_by().values("pk")[:COUNTED].count())
        span = rows.order_by().aggregate(first=Min("pk"), last=Max("pk"))
        return 0 if span["last"] is None else int(span["last"] - span["first"] + 1)


class JobFilter(admin.SimpleListFilter):
    """Runs of one job."""

    title = _("job")
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Job.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        value = self.value()
        return queryset.filter(job_id=value) if value and value.isdigit() else queryset


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Every run and its output."""

    list_display = ("when", "job_name", "state", "duration", "why", "reason")
    list_filter = ("status", "cause", JobFilter, "scheduled_for")
    list_select_related = ("job",)
    list_per_page = 50
    show_full_result_count = False
    paginator = UncountedPaginator
    ordering = ("-id",)
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
        return queryset if match and "object_id" in match.kwargs else queryset.defer("output", "warning")

    @admin.display(description=_("due"), ordering="scheduled_for")
    def when(self, run: Run) -> str:
        return presentation.near(run.scheduled_for, datetime.now(UTC))

    @admin.display(description=_("cause"), ordering="cause")
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
        links = ((_link(chained),) for chained in run.chained.select_related("job").defer("output"))
        return format_html_join("", "{}<br>", links) or "-"

    @admin.display(description=_("mail"))
    def mail(self, run: Run) -> str:
        return f"{run.get_report_display()} {presentation.moment(run.report_at)}" if run.report else "-"

    @admin.display(description=_("output"))
    def text(self, run: Run) -> Any:
        return presentation.output(run.output)


def _link(run: Run) -> Any:
    address = reverse("admin:scheduler_bridge_run_change", args=[run.pk])
    return format_html('<a href="{}">{} {}</a>', address, run.job.name, presentation.moment(run.scheduled_for))
