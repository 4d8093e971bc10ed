"""The page of one run."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

from .. import waiting
from ..models import OPEN_STATUSES, Run
from . import live, presentation, run_actions, run_facts, run_output, run_waiting
from .read_only import ReadOnlyAdmin


class RunPageAdmin(ReadOnlyAdmin):
    """What can be seen of one run, and done with it."""

    change_form_template = "admin/scheduler_bridge/run/page.html"
    fields = ()

    class Media:
        css: ClassVar = {"all": ("scheduler_bridge/admin.css", "scheduler_bridge/run.css")}
        js: ClassVar = (Script("scheduler_bridge/live.js", defer=True),)

    def get_urls(self) -> list[Any]:
        return [
            path("<int:pk>/live/", self._view(require_GET, live.fragment), name="scheduler_bridge_live"),
            path("<int:pk>/cancel/", self._view(require_POST, run_actions.cancel), name="scheduler_bridge_cancel"),
            path("<int:pk>/again/", self._view(require_POST, run_actions.again), name="scheduler_bridge_run_again"),
            *super().get_urls(),
        ]

    def _view(self, method: Callable[[Any], Any], view: Callable[..., HttpResponse]) -> Any:
        return self.admin_site.admin_view(method(partial(view, self)))

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        context.update(page(obj, request, datetime.now(UTC)))
        return super().render_change_form(request, context, add, change, form_url, obj)


def page(run: Run, request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Give what the template shows of a run."""
    output, names = run_output.parted(run)
    wait = waiting.explain(run, now)
    return {
        "run": run,
        "pill": presentation.status(run),
        "when": presentation.near(run.scheduled_for, now),
        "offered": run_actions.offered(run, request),
        "facts": run_facts.facts(run, now),
        "wait": run_waiting.words(wait) if wait else "",
        "waits": run_waiting.table(wait) if wait else "",
        "live": live.address(run),
        **(
            live.context(run, now) if run.status in OPEN_STATUSES else {"box": run_output.box(output) if output else ""}
        ),
        "ended": names,
        "compared": run_output.compared(run),
        "chained": run.chained.select_related("job").defer("output", "warning"),
        "may_see_job": request.user.has_perm("scheduler_bridge.view_job"),
    }
