"""The filters of the list of jobs."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Job, Status


class LastStatusFilter(admin.SimpleListFilter):
    """Jobs by how their last run ended."""

    title = gettext_lazy("last status")
    parameter_name = "last"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, label) for value, label in Status.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(last_run__status=self.value()) if self.value() else queryset


class RemovedFilter(admin.SimpleListFilter):
    """Jobs whose command is gone are shown on request."""

    title = gettext_lazy("presence")
    parameter_name = "removed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("removed")), ("all", _("all"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return [{**first, "display": _("in the code")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        if self.value() == "all" or request.resolver_match is None or "object_id" in request.resolver_match.kwargs:
            return queryset
        return queryset.filter(removed_at__isnull=self.value() != "yes")
