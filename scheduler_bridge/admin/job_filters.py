"""The filters of the list of jobs."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Job, Run, Status
from ..plan import Source
from . import kinds, layers, light
from .kinds import Kind
from .light import State


class MenuFilter(admin.SimpleListFilter):
    """A filter above the list, which opens like a menu."""

    template = "scheduler_bridge/menu_filter.html"


class StateFilter(MenuFilter):
    """Jobs by how they stand now."""

    title = gettext_lazy("status")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        states = (State.FAILING, State.RUNNING, State.WAITING, State.DISABLED, State.BROKEN, State.NEVER)
        return [(state, light.WORDS[state]) for state in states]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        now = datetime.now(UTC)
        match self.value():
            case State.FAILING:
                return queryset.filter(failing_since__isnull=False)
            case State.RUNNING:
                return queryset.filter(Exists(_runs(Status.RUNNING)))
            case State.WAITING:
                return queryset.filter(Q(next_run_at__lte=now) | Exists(_runs(Status.QUEUED, scheduled_for__lte=now)))
            case State.DISABLED:
                return queryset.filter(enabled=False)
            case State.BROKEN:
                return queryset.exclude(broken="")
            case State.NEVER:
                return queryset.filter(last_run=None)
            case _:
                return queryset


class LastStatusFilter(MenuFilter):
    """Jobs by how their last run ended."""

    title = gettext_lazy("last status")
    parameter_name = "last"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, label) for value, label in Status.choices if value != Status.QUEUED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(last_run__status=self.value()) if self.value() else queryset


class KindFilter(MenuFilter):
    """Jobs by where they run and by what starts them; no column says that, so the code is asked."""

    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(kind, kinds.WORDS[kind]) for kind in Kind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if self.value() is None:
            return queryset
        found = kinds.of_all(request)
        return queryset.filter(pk__in=[facts.job_id for facts in found if self.value() in facts.kinds])


class SourceFilter(MenuFilter):
    """Jobs by who says their schedule."""

    title = gettext_lazy("schedule said by")
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(source, layers.SOURCES[source]) for source in (Source.CODE, Source.SETTINGS, Source.DATABASE)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if self.value() is None:
            return queryset
        found = kinds.of_all(request)
        return queryset.filter(pk__in=[facts.job_id for facts in found if facts.source == self.value()])


class AppFilter(MenuFilter):
    """Jobs of one app."""

    title = gettext_lazy("app")
    parameter_name = "app"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        if KindFilter.parameter_name in request.GET or SourceFilter.parameter_name in request.GET:
            kinds.of_all(request)  # read anyway, and then they tell the apps too
        return [(app, app) for app in kinds.apps(request)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(app=self.value()) if self.value() is not None else queryset


class RemovedFilter(MenuFilter):
    """Jobs whose command is gone are shown on request."""

    title = gettext_lazy("presence")
    parameter_name = "removed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("removed")), ("all", _("all"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        first, *others = super().choices(changelist)
        yield from [{**first, "display": _("in the code")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if self.value() == "all" or request.resolver_match is None or "object_id" in request.resolver_match.kwargs:
            return queryset
        return queryset.filter(removed_at__isnull=self.value() != "yes")


def _runs(status: Status, **conditions: Any) -> QuerySet[Run]:
    return Run.objects.filter(job=OuterRef("pk"), status=status, **conditions)
