"""What people may do with jobs apart from the form: each by POST, with its permission, and noted in the log."""

from copy import copy
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from .. import api, expiry
from ..exceptions import JobDisabled, NothingToSkip, UnknownJob
from ..models import Job
from . import changes_log, presentation


class JobActions(admin.ModelAdmin):
    """The actions of the list and the buttons of the page."""

    actions = ("enable", "disable", "run_now")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler_bridge.run_job")

    def get_urls(self) -> list[Any]:
        buttons = {
            "run": (self.run_view, "run_now"),
            "skip-next": (self.skip_next_view, "skip_next"),
            "undo-skip-next": (self.undo_skip_next_view, "undo_skip_next"),
            "reset-failure": (self.reset_failure_view, "reset_failure"),
        }
        view = self.admin_site.admin_view
        own = [
            path(f"<int:pk>/{word}/", view(require_POST(step)), name=f"scheduler_bridge_{name}")
            for word, (step, name) in buttons.items()
        ]
        return [*own, *super().get_urls()]

    # On the list

    @admin.action(description=gettext_lazy("Enable the selected jobs"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._switch(request, queryset, expiry.SWITCH)

    @admin.action(description=gettext_lazy("Disable the selected jobs"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._switch(request, queryset, {**expiry.SWITCH, "enabled": False})

    @admin.action(description=gettext_lazy("Run the selected jobs now"), permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        count = sum(self._run(request, job) for job in queryset)
        if count:
            text = ngettext("%d run is queued for the runner.", "%d runs are queued for the runner.", count) % count
            self.message_user(request, text, messages.SUCCESS)

    def _switch(self, request: HttpRequest, queryset: QuerySet[Job], values: dict[str, Any]) -> None:
        jobs = [job for job in queryset if job.enabled != values["enabled"]]
        for job in jobs:
            before = copy(job)
            for name, value in values.items():
                setattr(job, name, value)
            self.stamp(request, job)
            job.save(update_fields=[*values, "changed_by", "changed_at"])
            self.log_change(request, job, changes_log.changes(before, job))
        text = ngettext("%d job was changed.", "%d jobs were changed.", len(jobs)) % len(jobs)
        self.message_user(request, text, messages.SUCCESS)

    def stamp(self, request: HttpRequest, job: Job) -> None:
        """Note on the row who changes it now."""
        job.changed_by, job.changed_at = request.user.get_username()[:150], datetime.now(UTC)

    def _run(self, request: HttpRequest, job: Job) -> bool:
        try:
            run = api.run_now(job.name, requested_by=request.user.get_username())
        except JobDisabled:
            return self._refuse(request, _("The job %(job)s is disabled, so it was not run.") % {"job": job.name})
        except UnknownJob:
            return self._refuse(request, _("The command of the job %(job)s is gone.") % {"job": job.name})
        self.log_change(request, job, f"run now: run {run.pk} queued")
        return True

    # On the page

    def run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue a run of one job; only by POST."""
        job = self._job(request, pk, self.has_run_permission(request))
        if self._run(request, job):
            self.message_user(request, _("The run is queued for the runner."), messages.SUCCESS)
        return _to_page(pk)

    def skip_next_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Leave out the next fire time of one job; only by POST."""
        job = self._job(request, pk, self.has_change_permission(request))
        try:
            moment = presentation.moment(api.skip_next(job.name, by=request.user.get_username()))
        except (NothingToSkip, UnknownJob):
            self._refuse(request, _("The job has no fire time to come that could be left out."))
            return _to_page(pk)
        self.log_change(request, job, f"skip the next run: {presentation.moment(job.skip_next_at)} → {moment}")
        text = _("The run of %(moment)s will be left out.") % {"moment": moment}
        self.message_user(request, text, messages.SUCCESS)
        return _to_page(pk)

    def undo_skip_next_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let the next fire time of one job run after all; only by POST."""
        job = self._job(request, pk, self.has_change_permission(request))
        if api.undo_skip_next(job.name):
            self.log_change(request, job, f"skip the next run: {presentation.moment(job.skip_next_at)} → -")
            self.message_user(request, _("The next run will not be left out."), messages.SUCCESS)
        else:
            self._refuse(request, _("No run was to be left out."))
        return _to_page(pk)

    def reset_failure_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take the failures of one job as dealt with; only by POST."""
        job = self._job(request, pk, self.has_change_permission(request))
        if api.reset_failure(job.name):
            self.log_change(request, job, f"failing since: {presentation.moment(job.failing_since)} → -")
            self.message_user(request, _("The failures are marked as dealt with."), messages.SUCCESS)
        else:
            self._refuse(request, _("The job is not failing."))
        return _to_page(pk)

    def _refuse(self, request: HttpRequest, text: str) -> bool:
        self.message_user(request, text, messages.WARNING)
        return False

    def _job(self, request: HttpRequest, pk: int, is_allowed: bool) -> Job:
        """Give the job that somebody wants to act on.

        Raises:
            PermissionDenied: they may not, or it is not there.
        """
        job: Job | None = self.get_object(request, str(pk)) if is_allowed else None
        if job is None:
            raise PermissionDenied
        return job


def _to_page(pk: int) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:scheduler_bridge_job_change", args=[pk]))
