"""The filters of the history: by job, person, cause and date; what is typed works without JavaScript."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import conf
from ..models import Cause, Job, Report, Run

OFFERED: Final = 500  # names of jobs in the list of proposals


class TypedFilter(admin.ListFilter):
    """A filter whose values are typed."""

    template = "scheduler_bridge/typed_filter.html"
    fields: tuple[tuple[str, Any, str], ...] = ()  # parameter, label, type of the input
    has_index = True

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            text = params.pop(name, [""])[-1].replace("\0", "").strip()
            if text:
                self.used_parameters[name] = text

    def expected_parameters(self) -> list[Any]:
        return [name for name, _label, _kind in self.fields]

    def typed(self, name: str) -> str:
        """Give what was typed into an input; empty when nothing was."""
        return str(self.used_parameters.get(name, ""))

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        own = self.expected_parameters()
        kept = [(name, value) for name, value in changelist.params.items() if name not in own]
        yield {
            "inputs": [(name, label, kind, self.shown(name)) for name, label, kind in self.fields],
            "kept": kept,
            "proposals": self.proposals(),
            "cleared": changelist.get_query_string(remove=own) if self.used_parameters else "",
        }

    def shown(self, name: str) -> str:
        """Give what stands in an input."""
        return self.typed(name)

    def proposals(self) -> list[str]:
        """Give what may be typed, where that is a list."""
        return []


class JobFilter(TypedFilter):
    """Runs of one job, or of all whose name has a part."""

    title = gettext_lazy("job")
    fields = (("job", gettext_lazy("Name of the job, or a part"), "text"),)

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        text = self.typed("job")
        self.found = _jobs(text) if text else []
        self.has_index = len(self.found) == 1

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        if not self.used_parameters:
            return queryset
        ids = [pk for pk, _name in self.found]
        return queryset.filter(job_id=ids[0]) if len(ids) == 1 else queryset.filter(job_id__in=ids)

    def shown(self, name: str) -> str:
        text = self.typed(name)
        return self.found[0][1] if text.isdecimal() and self.found else text

    def proposals(self) -> list[str]:
        names = list(Job.objects.order_by("name").values_list("name", flat=True)[: OFFERED + 1])
        return names if len(names) <= OFFERED else []


def _jobs(text: str) -> list[tuple[int, str]]:
    rows = Job.objects.order_by("name").values_list("pk", "name")
    if text.isdecimal():
        return list(rows.filter(pk=int(text[:19])))
    return list(rows.filter(name=text)) or list(rows.filter(name__icontains=text))


class PersonFilter(TypedFilter):
    """Runs that one person or program asked for."""

    title = gettext_lazy("person")
    fields = (("person", gettext_lazy("Who asked for it"), "text"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        name = self.typed("person")
        # The second condition is that of the index.
        return queryset.filter(~Q(requested_by=""), requested_by=name) if name else queryset


class CauseFilter(admin.SimpleListFilter):
    """Runs by why they were started."""

    title = gettext_lazy("cause")
    parameter_name = "cause__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, label) for value, label in Cause.choices]

    @property
    def has_index(self) -> bool:
        return self.value() != Cause.SCHEDULE

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        if self.value() is None:
            return queryset
        found = queryset.filter(cause=self.value())
        # The second condition is that of the index.
        return found.exclude(cause=Cause.SCHEDULE) if self.has_index else found


class MailFilter(admin.SimpleListFilter):
    """Runs whose mail is not out yet."""

    title = gettext_lazy("mail")
    parameter_name = "mail"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(Report.DUE, Report.DUE.label)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        return queryset.filter(report=Report.DUE) if self.value() == Report.DUE else queryset


class DateFilter(TypedFilter):
    """Runs that were due on these days, in the time zone of the scheduler."""

    title = gettext_lazy("date")
    fields = (("from", gettext_lazy("From"), "date"), ("to", gettext_lazy("To"), "date"))
    is_date = True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        first, last = (self._day(name) for name in ("from", "to"))
        if first is not None:
            queryset = queryset.filter(scheduled_for__gte=_midnight(first))
        if last is not None:
            queryset = queryset.filter(scheduled_for__lt=_midnight(last + timedelta(days=1)))
        return queryset

    def _day(self, name: str) -> date | None:
        text = self.typed(name)
        try:
            day = date.fromisoformat(text) if text else None
        except ValueError as error:
            raise IncorrectLookupParameters(_("expected a date")) from error
        # Nothing was due outside these years, and midnights near the ends of the calendar cannot be told.
        return None if day is None else min(max(day, date(1900, 1, 1)), date(9000, 1, 1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), conf.load().time_zone).astimezone(UTC)
