"""The jobs: one list, one page each."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from ..models import Job
from . import changes_log, job_list, job_page, queue_field
from .hold import HoldPages
from .job_actions import JobActions
from .job_filters import AppFilter, KindFilter, LastStatusFilter, RemovedFilter, SourceFilter, StateFilter
from .job_form import JobForm, PreviewForm
from .job_list import JobList

PREVIEW = "_preview"  # the button beside those that save


@admin.register(Job)
class JobAdmin(HoldPages, JobActions):
    """Jobs come and go with the code; here they are enabled, timed and run."""

    form = JobForm
    list_display = ("title", "schedule", "next_run", "runs", "usual", "success")
    list_filter = (StateFilter, KindFilter, SourceFilter, LastStatusFilter, AppFilter, RemovedFilter)
    search_fields = ("name", "description")
    list_per_page = 100
    show_facets = admin.ShowFacets.NEVER
    fieldsets = (
        (
            None,
            {"fields": ("enabled", ("disabled_reason", "disabled_until"), "notify_on_success")},
        ),
        (
            gettext_lazy("Run at other times"),
            {"fields": (("interval_text", "times_text"), ("override_reason", "override_until"))},
        ),
    )

    class Media:
        css: ClassVar = {"all": ("scheduler_bridge/admin.css", "scheduler_bridge/job.css")}
        js = ("scheduler_bridge/live.js",)

    # The list

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[JobList]:
        return JobList

    @admin.display(description=gettext_lazy("job"), ordering="name")
    def title(self, row: Any) -> Any:
        return job_list.title(row.line)

    @admin.display(description=gettext_lazy("schedule"))
    def schedule(self, row: Any) -> Any:
        return job_list.schedule(row.line)

    @admin.display(description=gettext_lazy("next run"), ordering="next_run_at")
    def next_run(self, row: Any) -> Any:
        return job_list.next_run(row.line)

    @admin.display(description=gettext_lazy("last runs"))
    def runs(self, row: Any) -> Any:
        return job_list.runs(row.line)

    @admin.display(description=gettext_lazy("usually"))
    def usual(self, row: Any) -> Any:
        return job_list.usual(row.line)

    @admin.display(description=gettext_lazy("succeeded"))
    def success(self, row: Any) -> Any:
        return job_list.success(row.line)

    # The page of one job

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = PreviewForm if PREVIEW in request.POST else JobForm
        return super().get_form(request, obj, change, **{**kwargs, "form": form})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        found = super().get_fieldsets(request, obj)
        if obj is None or not queue_field.is_offered(obj):
            return found
        return [*found, (gettext_lazy("Run elsewhere"), {"fields": ("queue",)})]

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        self.stamp(request, obj)
        columns = [*JobForm.Meta.fields, "override_interval", "override_times", "override_queue"]
        obj.save(update_fields=[*columns, "changed_by", "changed_at"])

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        return changes_log.changes(form.before, form.instance) or "nothing changed"

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        now, form = datetime.now(UTC), context["adminform"].form
        context |= job_page.context(form.before, now)
        context |= {"title": str(form.before), "subtitle": None}
        context["may_run"] = self.has_run_permission(request)
        if PREVIEW in request.POST and not form.errors:
            context |= job_page.preview(form.before, form.instance, now)
        elif "forecast" in request.GET:
            context |= job_page.outlook(form.before, now)
        return super().render_change_form(request, context, add, change, form_url, obj)
