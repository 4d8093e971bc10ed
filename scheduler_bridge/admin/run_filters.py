"""The filters of the history: by job, person, cause, status, mail and date; what is typed works without JavaScript."""

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
from ..models import FAILURES, Cause, Job, Report, Run, Status

OFFERED: Final = 500  # names of jobs in the list of proposals
ANY_FAILURE: Final = "any_failure"  # every status that is mailed
FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(9000, 1, 1)


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


class StatusFilter(admin.SimpleListFilter):
    """Runs by what became of them."""

    title = gettext_lazy("status")
    parameter_name = "status__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(ANY_FAILURE, _("any failure")), *((value, label) for value, label in Status.choices)]

    @property
    def has_index(self) -> bool:
        return self.value() != ANY_FAILURE

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        if self.value() == ANY_FAILURE:
            return queryset.filter(status__in=FAILURES)
        return queryset.filter(status=self.value()) if self.value() else queryset


class MailFilter(admin.SimpleListFilter):
    """Runs by where the mail about them stands."""

    title = gettext_lazy("mail")
    parameter_name = "mail"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(value, label) for value, label in Report.choices if value]

    @property
    def has_index(self) -> bool:
        return self.value() == Report.DUE

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        return queryset.filter(report=self.value()) if self.value() else queryset


class DateFilter(TypedFilter):
    """Runs that were due on these days, in the time zone of the scheduler; or between two moments, to the second."""

    title = gettext_lazy("date")
    fields = (("from", gettext_lazy("From"), "date"), ("to", gettext_lazy("To"), "date"))
    is_date = True

    def queryset(self, request: HttpRequest, queryset: QuerySet[Run]) -> QuerySet[Run]:
        first, last = (self._given(name) for name in ("from", "to"))
        if first is not None:
            queryset = queryset.filter(scheduled_for__gte=first if isinstance(first, datetime) else _midnight(first))
        if isinstance(last, datetime):
            queryset = queryset.filter(scheduled_for__lt=last + timedelta(seconds=1))
        elif last is not None:
            queryset = queryset.filter(scheduled_for__lt=_midnight(last + timedelta(days=1)))
        return queryset

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            inputs = [(name, label, self._kind(value), value) for name, label, _kind, value in choice["inputs"]]
            yield {**choice, "inputs": inputs}

    def shown(self, name: str) -> str:
        given = self._given(name)
        if isinstance(given, datetime):
            return f"{conf.load().local(given):%Y-%m-%dT%H:%M:%S}"
        return self.typed(name)

    def _kind(self, value: str) -> str:
        return "datetime-local" if "T" in value else "date"

    def _given(self, name: str) -> date | datetime | None:
        text = self.typed(name)
        try:
            return _day_or_moment(text) if text else None
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(_("expected a date")) from error


def _day_or_moment(text: str) -> date | datetime:
    """Read a day or a moment; a moment without a zone is one of the scheduler's.

    Nothing was due outside these years, and midnights near the ends of the calendar cannot be told.

    Raises:
        ValueError: it is neither.
    """
    try:
        return min(max(date.fromisoformat(text), FIRST_DAY), LAST_DAY)
    except ValueError:
        found = datetime.fromisoformat(text)
    if not FIRST_DAY <= found.date() <= LAST_DAY:
        raise ValueError(text)
    return (found if found.tzinfo else found.replace(tzinfo=conf.load().time_zone)).astimezone(UTC)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), conf.load().time_zone).astimezone(UTC)
