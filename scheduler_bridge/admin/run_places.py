"""The filters of the history by where runs took place: the queue of the engine, and the host."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from .. import engine, queues
from ..models import Run
from .run_filters import TypedFilter


class PlaceFilter(TypedFilter):
    """Shown where an engine is used; an address that names a place is understood everywhere."""

    has_index = False
    name = ""

    def has_output(self) -> bool:
        return engine.is_used() or bool(self.used_parameters)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        text = self.typed(self.name)
        return queryset.filter(**{self.name: text}) if text else queryset


class QueueFilter(PlaceFilter):
    """Runs that were handed over to one queue."""

    title = gettext_lazy("queue")
    name = "queue"
    fields = ((name, gettext_lazy("Name of the queue"), "text"),)

    def proposals(self) -> list[str]:
        return list(queues.choices())


class HostFilter(PlaceFilter):
    """Runs that took place on one host."""

    title = gettext_lazy("host")
    name = "host"
    fields: tuple[tuple[str, Any, str], ...] = ((name, gettext_lazy("Name of the host"), "text"),)
