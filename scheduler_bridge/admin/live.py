"""The part of a run's page that changes while it waits or runs, fetched again and again by the page's script."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from .. import registry, schedules
from ..models import OPEN_STATUSES, Run, Status
from . import presentation, run_output, run_waiting

DONE = "X-SB-Done"  # the script fetches no more


def address(run: Run) -> str:
    """Give where the script of a page that shows this run asks; empty for one that has ended."""
    if run.status not in OPEN_STATUSES:
        return ""
    return f"{reverse('admin:scheduler_bridge_live', args=[run.pk])}?shown={run.status}"


def fragment(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Give how a run stands; the last time as soon as it is not any more what the page shows."""
    run: Any = Run.objects.select_related("job").defer("warning").filter(pk=pk).first()
    if not admin.has_view_permission(request, run):
        raise PermissionDenied
    if run is None:
        raise Http404
    response = render(request, "admin/scheduler_bridge/run/live.html", context(run, datetime.now(UTC)))
    if run.status != request.GET.get("shown"):
        response[DONE] = "1"
    return response


def context(run: Run, now: datetime) -> dict[str, Any]:
    """Give what the template shows of a run that is open."""
    is_running = run.status == Status.RUNNING
    plan = registry.plan_of(run.job)
    is_internal = is_running and plan.definition.internal
    return {
        "run": run,
        "pill": presentation.status(run),
        "elapsed": presentation.span(now - run.started_at) if is_running and run.started_at else "",
        "stop": run_waiting.stop(run, now) if run.status == Status.QUEUED else "",
        "limit": "" if is_internal or not plan.timeout.value else schedules.interval_words(plan.timeout.value),
        "box": run_output.box(run.output) if run.output else "",
    }
