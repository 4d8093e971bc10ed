"""Hold and resume: nothing is started until somebody has looked at what would start."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from .. import api, conf, overview, until
from ..history import one_line
from ..models import Job, Runner
from ..overview import Hold
from . import resumption
from .hold_form import HoldForm
from .overview import OverviewPages

CHOICE: Final = "choice"  # job by job, as ticked
DIGITS: Final = 18  # of the number of a row


class HoldPages(OverviewPages):
    """What the page of the jobs adds to hold the runner and to resume."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        resume = require_http_methods(["GET", "HEAD", "POST"])(self.resume_view)
        return [
            path("runner/hold/", view(require_POST(self.hold_view)), name="scheduler_bridge_hold"),
            path("runner/resume/", view(resume), name="scheduler_bridge_resume"),
            *super().get_urls(),
        ]

    def hold_view(self, request: HttpRequest) -> HttpResponse:
        """Put the runner on hold; only by POST."""
        if not self.has_hold_permission(request):
            raise PermissionDenied
        form, before = HoldForm(request.POST), overview.held()
        if not form.is_valid():
            return self._page(request, "scheduler_bridge/resume_hold.html", _("Hold"), form=form, back=_back(request))
        reason, end = form.cleaned_data["reason"], form.cleaned_data["until"]
        api.hold(reason, by=request.user.get_username(), until=end)
        self._log(request, f"hold: {_said(before)} → {_said(overview.held())}")
        self.message_user(request, _("The runner is on hold: nothing is started."), messages.SUCCESS)
        return HttpResponseRedirect(_back(request))

    def resume_view(self, request: HttpRequest) -> HttpResponse:
        """Show what a resume would start; by POST, resume."""
        may_hold = self.has_hold_permission(request)
        if request.method == "POST" and not may_hold:
            raise PermissionDenied
        if not (may_hold or self.has_view_permission(request)):
            raise PermissionDenied
        if request.method == "POST":
            return self._resume(request)
        now = datetime.now(UTC)
        shown = resumption.shown(api.pending(now), overview.presence(now), now)
        return self._page(request, "scheduler_bridge/resume.html", _("Resume"), shown=shown, may_hold=may_hold)

    def _resume(self, request: HttpRequest) -> HttpResponse:
        before, way = overview.held(), request.POST.get("pending")
        if before is None:
            self.message_user(request, _("The runner is not on hold."), messages.WARNING)
            return HttpResponseRedirect(_overview())
        if way == "skip":
            api.resume("skip")
            done, said = _("The runner goes on; what was due is skipped."), "skipped"
        else:
            skip = _unticked(request) if way == CHOICE else []
            api.resume("run", skip=skip)
            done, said = _("The runner goes on."), f"run, but for {', '.join(skip)}" if skip else "run"
        self._log(request, f"hold: {_said(before)} → -; what was due: {said}")
        self.message_user(request, done, messages.SUCCESS)
        return HttpResponseRedirect(_overview())

    def _log(self, request: HttpRequest, text: str) -> None:
        row = Runner.objects.using(conf.load().database).get(pk=Runner.ROW)
        self.log_change(request, row, text)

    def _page(self, request: HttpRequest, template: str, title: str, **values: Any) -> HttpResponse:
        request.current_app = self.admin_site.name
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, **values}
        return TemplateResponse(request, template, context)


def _unticked(request: HttpRequest) -> list[str]:
    """Give the jobs that were shown and are not to run."""
    listed, ticked = _numbers(request.POST.get("listed", "").split(",")), _numbers(request.POST.getlist("run"))
    rows = Job.objects.using(conf.load().database).filter(pk__in=listed - ticked)
    return list(rows.order_by("name").values_list("name", flat=True))


def _numbers(texts: Iterable[str]) -> set[int]:
    return {int(text) for text in texts if text.isdecimal() and len(text) <= DIGITS}


def _said(hold: Hold | None) -> str:
    """Say a hold in the admin's log."""
    if hold is None:
        return "-"
    end = "" if hold.until is None else f" until {until.typed(hold.until, conf.load().time_zone)}"
    return f"{one_line(hold.reason) or 'on hold'}{end}"


def _back(request: HttpRequest) -> str:
    """Give the page that the request came from, if it is one of this site."""
    wanted = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else _overview()


def _overview() -> str:
    return reverse("admin:app_list", args=["scheduler_bridge"])
