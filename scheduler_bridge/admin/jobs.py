"""The jobs: one list, one page each, and what people may do with them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from .. import api, diagnosis, forecast, lease, registry, schedules
from ..exceptions import JobDisabled, UnknownJob
from ..models import Job, Report, Run, Runner
from . import layers, presentation
from .job_filters import LastStatusFilter, RemovedFilter
from .job_form import JobForm

HISTORY = 20  # runs on the page of a job
FIRES = 5  # fire times on the page of a job


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):
    """Jobs come and go with the code; here they are enabled, timed and run."""

    form = JobForm
    list_display = ("title", "enabled", "schedule", "next_run", "last")
    list_filter = ("enabled", LastStatusFilter, "app", RemovedFilter)
    search_fields = ("name", "description")
    list_select_related = ("last_run",)
    list_per_page = 100
    show_full_result_count = False
    actions = ("enable", "disable", "run_now")
    readonly_fields = ("name", "description", "error", "layers", "next_fires", "changed", "history")
    fieldsets = (
        (None, {"fields": ("name", "description", "enabled", "notify_on_success")}),
        (gettext_lazy("Schedule"), {"fields": ("layers", "interval_text", "times_text", "next_fires", "changed")}),
        (gettext_lazy("History"), {"fields": ("history",)}),
    )

    class Media:
        css: ClassVar = {"all": ("scheduler_bridge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).defer("last_run__output", "last_run__warning")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler_bridge.run_job")

    def has_hold_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler_bridge.hold_runner")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("runner/hold/", view(require_POST(self.hold_view)), name="scheduler_bridge_hold"),
            path("runner/resume/", view(require_POST(self.resume_view)), name="scheduler_bridge_resume"),
            path("<int:pk>/run/", view(require_POST(self.run_view)), name="scheduler_bridge_run_now"),
            *super().get_urls(),
        ]

    # The list

    @admin.display(description=gettext_lazy("job"), ordering="name")
    def title(self, job: Job) -> Any:
        if job.removed_at:
            return format_html('<span class="sb-removed">{}</span>', job.name)
        if job.broken:
            return format_html('{} <span class="sb-status sb-failed">{}</span>', job.name, _("broken"))
        return job.name

    @admin.display(description=gettext_lazy("schedule"))
    def schedule(self, job: Job) -> Any:
        schedule = registry.plan_of(job).schedule
        return layers.sourced(schedules.words(schedule.value), schedule.source)

    @admin.display(description=gettext_lazy("next run"), ordering="next_run_at")
    def next_run(self, job: Job) -> str:
        return presentation.near(job.next_run_at, datetime.now(UTC))

    @admin.display(description=gettext_lazy("last run"))
    def last(self, job: Job) -> Any:
        return presentation.last_run(job.last_run)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        now = datetime.now(UTC)
        context = {
            "runner_gate": diagnosis.runner_gate(lease.holder(), now),
            "runner_row": Runner.objects.filter(pk=Runner.ROW).first(),
            "may_hold": self.has_hold_permission(request),
            "unsent": Run.objects.filter(report=Report.DUE, report_tries__gt=0).count(),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    # The actions

    @admin.action(description=gettext_lazy("Enable the selected jobs"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._switch(request, queryset, True)

    @admin.action(description=gettext_lazy("Disable the selected jobs"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._switch(request, queryset, False)

    @admin.action(description=gettext_lazy("Run the selected jobs now"), permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        count = sum(self._run(request, job) for job in queryset)
        if count:
            text = ngettext("%d run is queued for the runner.", "%d runs are queued for the runner.", count) % count
            self.message_user(request, text, messages.SUCCESS)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Job], enabled: bool) -> None:
        jobs = [job for job in queryset if job.enabled != enabled]
        for job in jobs:
            job.enabled = enabled
            self._stamp(request, job)
            job.save(update_fields=["enabled", "changed_by", "changed_at"])
            self.log_change(request, job, f"enabled: {not enabled} → {enabled}")
        text = ngettext("%d job was changed.", "%d jobs were changed.", len(jobs)) % len(jobs)
        self.message_user(request, text, messages.SUCCESS)

    def _run(self, request: HttpRequest, job: Job) -> bool:
        try:
            run = api.run_now(job.name, requested_by=request.user.get_username())
        except (JobDisabled, UnknownJob) as error:
            self.message_user(request, str(error), messages.WARNING)
            return False
        self.log_change(request, job, f"run now: run {run.pk} queued")
        return True

    def _stamp(self, request: HttpRequest, job: Job) -> None:
        job.changed_by, job.changed_at = request.user.get_username()[:150], datetime.now(UTC)

    def run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue a run of one job; only by POST."""
        job = self.get_object(request, str(pk))
        if not self.has_run_permission(request) or job is None:
            raise PermissionDenied
        if self._run(request, job):
            self.message_user(request, _("The run is queued for the runner."), messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:scheduler_bridge_job_change", args=[pk]))

    def hold_view(self, request: HttpRequest) -> HttpResponse:
        """Put the runner on hold; only by POST."""
        return self._steer(request, lambda: api.hold(request.POST.get("reason", ""), by=request.user.get_username()))

    def resume_view(self, request: HttpRequest) -> HttpResponse:
        """End a hold; only by POST."""
        return self._steer(request, lambda: api.resume("skip" if request.POST.get("pending") == "skip" else "run"))

    def _steer(self, request: HttpRequest, step: Callable[[], None]) -> HttpResponse:
        if not self.has_hold_permission(request):
            raise PermissionDenied
        step()
        row = Runner.objects.get(pk=Runner.ROW)
        text = f"hold: {row.held_reason}" if row.held else f"resume: {request.POST.get('pending', 'run')}"
        self.log_change(request, row, text)
        return HttpResponseRedirect(reverse("admin:scheduler_bridge_job_changelist"))

    # The page of one job

    def get_fieldsets(self, request: HttpRequest, obj: Job | None = None) -> Any:
        broken = [(gettext_lazy("Broken"), {"fields": ("error",)})] if obj is not None and obj.broken else []
        return [*broken, *super().get_fieldsets(request, obj)]

    def save_model(self, request: HttpRequest, obj: Job, form: Any, change: bool) -> None:
        self._stamp(request, obj)
        columns = ["enabled", "notify_on_success", "override_interval", "override_times", "changed_by", "changed_at"]
        obj.save(update_fields=columns)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        before, after = form.initial, form.cleaned_data
        parts = [f"{name}: {_said(before.get(name))} → {_said(after[name])}" for name in form.changed_data]
        return "; ".join(parts) or _("nothing changed")

    @admin.display(description=gettext_lazy("error"))
    def error(self, job: Job) -> Any:
        return presentation.output(job.broken) if job.broken else "-"

    @admin.display(description=gettext_lazy("what holds"))
    def layers(self, job: Job) -> Any:
        return layers.table(registry.plan_of(job))

    @admin.display(description=gettext_lazy("next fire times"))
    def next_fires(self, job: Job) -> Any:
        fires = forecast.next_fires(registry.plan_of(job), job, datetime.now(UTC), FIRES)
        return format_html_join("", "{}<br>", ((presentation.moment(fire),) for fire in fires)) or "-"

    @admin.display(description=gettext_lazy("changed"))
    def changed(self, job: Job) -> str:
        return f"{presentation.moment(job.changed_at)} {job.changed_by}" if job.changed_at else "-"

    @admin.display(description=gettext_lazy("last runs"))
    def history(self, job: Job) -> Any:
        return presentation.history(Run.objects.filter(job=job).defer("output", "warning")[:HISTORY], job.pk)


def _said(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case schedules.Interval() | schedules.DailyTimes():
            return schedules.words(value)
        case _:
            return str(value)
