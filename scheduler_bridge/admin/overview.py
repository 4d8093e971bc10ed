"""The overview: the first page behind "Scheduler", its parts that are fetched anew, and the mark on the front page.

Django's own views render these pages; a template tag asks the page of the jobs for what is shown on them.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from .glance import Glance

PARTS: Final[Mapping[str, str]] = {
    "runner": "scheduler_bridge/runner_bar_state.html",
    "work": "scheduler_bridge/overview_work.html",
    "places": "scheduler_bridge/overview_places.html",
    "busy": "scheduler_bridge/overview_busy.html",
    "runs": "scheduler_bridge/overview_runs.html",
}
FRONT_PAGE: Final = "scheduler_bridge/admin_index.html"


class OverviewPages(admin.ModelAdmin):
    """What the page of the jobs adds for the overview."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.now_view)
        return [path("now/", view, name="scheduler_bridge_now"), *super().get_urls()]

    def has_hold_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("scheduler_bridge.hold_runner")

    def glance(self, request: HttpRequest) -> Glance:
        """Give what this reader may see now."""
        return Glance(
            request,
            sees_jobs=self.has_view_permission(request),
            sees_runs=request.user.has_perm("scheduler_bridge.view_run"),
            may_hold=self.has_hold_permission(request),
        )

    def now_view(self, request: HttpRequest) -> HttpResponse:
        """Give one part of the overview as it is now, without the page around it."""
        part, glance = request.GET.get("part", ""), self.glance(request)
        if part not in PARTS:
            raise Http404
        if not (glance.sees_runs if part == "runs" else glance.sees_jobs):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        return TemplateResponse(request, PARTS[part], {"glance": glance})


def mark_front_page(site: admin.AdminSite) -> None:
    """Let the front page tell when jobs are not started, unless the project has a front page of its own."""
    if site.index_template is None:
        site.index_template = FRONT_PAGE


mark_front_page(admin.site)
