"""What people may do with a run: have its job run again, or call it off. Only by POST."""

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from .. import api, registry
from ..exceptions import CannotCancel, JobDisabled, UnknownJob, UnknownRun
from ..models import Run, Status


def may_run(request: HttpRequest) -> bool:
    """Tell whether this person may run jobs by hand, and call runs off."""
    return request.user.has_perm("scheduler_bridge.run_job")


def offered(run: Run, request: HttpRequest) -> dict[str, bool]:
    """Say what the page of this run offers this person."""
    is_open = run.status in (Status.QUEUED, Status.RUNNING)
    is_internal = run.status == Status.RUNNING and registry.plan_of(run.job).definition.internal
    may = may_run(request)
    return {
        "again": may and not is_open and run.job.removed_at is None,
        "take_out": may and run.status == Status.QUEUED,
        "end": may and run.status == Status.RUNNING and not is_internal and run.cancel_at is None,
        "endless": may and is_internal,
        "ending": run.status == Status.RUNNING and run.cancel_at is not None,
    }


def again(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Queue another run of the job of this run."""
    run = _find(admin, request, pk)
    try:
        queued = api.run_now(run.job.name, requested_by=request.user.get_username())
    except (JobDisabled, UnknownJob) as error:
        admin.message_user(request, str(error), messages.WARNING)
        return _page(pk)
    admin.log_change(request, run, f"run again: run {queued.pk} queued")
    admin.message_user(request, _("The run is queued for the runner."), messages.SUCCESS)
    return _page(queued.pk)


def cancel(admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Take a queued run out, or let the processes of a running one be ended."""
    run = _find(admin, request, pk)
    try:
        status = api.cancel(pk, by=request.user.get_username())
    except (CannotCancel, UnknownRun) as error:
        admin.message_user(request, str(error), messages.WARNING)
        return _page(pk)
    if status == Status.CANCELLED:
        said, text = "queued → cancelled", _("The run was taken out of the queue.")
        if run.hand_at is not None:
            text = _("The run was called off; a worker that gets it leaves it alone.")
    else:
        said, text = "running → being ended", _("The processes of the run are being ended.")
        if run.queue:
            text = _("The worker on %(host)s ends the processes of the run.") % {"host": run.host}
    admin.log_change(request, run, f"cancel: {said}")
    admin.message_user(request, text, messages.SUCCESS)
    return _page(pk)


def _find(admin: ModelAdmin, request: HttpRequest, pk: int) -> Run:
    run: Run | None = admin.get_object(request, str(pk))
    if not may_run(request) or not admin.has_view_permission(request, run):
        raise PermissionDenied
    if run is None:
        raise Http404
    return run


def _page(pk: int) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:scheduler_bridge_run_change", args=[pk]))
