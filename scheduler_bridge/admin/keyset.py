"""Lists of any size, page by page from where the last one ended: nothing is counted, nothing is skipped over.

A page is asked for by the row it begins after, so that it costs the same wherever it lies, and rows that come or go
meanwhile neither show a row twice nor hide one. Where no index gives the rows that are asked for, a page looks through
some rows, and some more as long as its time lasts, and then offers to go on from there.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from ..models import MomentField

BEFORE: Final = "before"  # older than this row
AFTER: Final = "after"  # newer than this row
# How many rows one statement looks through for a mix of filters, and for a text, whose rows may be large.
SCANNED: Final = 20_000
SEARCHED: Final = 2_000
PATIENCE: Final = 0.5  # seconds for which a page goes on looking while it is not full
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A row's place in the list: its id, behind its date where the list goes by date."""

    date: datetime | None
    pk: int

    def __str__(self) -> str:
        return str(self.pk) if self.date is None else f"{MomentField().get_prep_value(self.date)}.{self.pk}"


def parse(text: str, *, dated: bool) -> Position:
    """Read the place of a row from an address.

    Raises:
        ValueError: it is none, or one in a list that goes the other way.
    """
    date, point, pk = text.rpartition(".")
    number = int(pk)
    if bool(point) != dated or not 0 <= number <= _LARGEST:
        raise ValueError(text)
    return Position(date=MomentField().from_db_value(int(date)) if dated else None, pk=number)


class KeysetList(ChangeList):
    """A list from new to old, with links to the newest, the newer and the older rows."""

    date_field = ""  # what the list goes by while it is filtered by date
    result_count: int
    has_other_lookups = False

    def __init__(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        self._before, self._after = request.GET.get(BEFORE), request.GET.get(AFTER)
        super().__init__(request, *args, **options)
        # What is searched or filtered anew begins at the newest.
        for name in (BEFORE, AFTER):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)

    def get_filters_params(self, params: Any = None) -> Any:
        found = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in (BEFORE, AFTER)}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        return super().get_query_string(new_params, [*(remove or ()), BEFORE, AFTER])

    def get_filters(self, request: HttpRequest) -> Any:
        found = super().get_filters(request)
        self.active = [spec for spec in found[0] if getattr(spec, "used_parameters", None)]
        self.has_other_lookups = bool(found[2])
        return found

    @property
    def is_dated(self) -> bool:
        """Tell whether the list goes by date now."""
        return any(getattr(spec, "is_date", False) for spec in self.active)

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        return self._order()

    def _order(self) -> list[str]:
        return [f"-{self.date_field}", "-pk"] if self.is_dated else ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        self._request = request
        try:
            before, after = (parse(text, dated=self.is_dated) if text else None for text in (self._before, self._after))
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters from error
        if after is None or not self._read(after, older=False):
            self._read(before, older=True)
        self.result_count = self.full_result_count = len(self.result_list)
        self.can_show_all = self.multi_page = self.show_full_result_count = self.show_admin_actions = False
        self.paginator = None

    def batches(self, size: int, *columns: str) -> Iterator[list[Any]]:
        """Give these columns of all rows of the list, from new to old, so many rows at a time.

        A batch is shorter where rows are looked for without an index, and may be empty.
        """
        place: Position | None = None
        is_whole = False
        while not is_whole:
            end = self._end_of_scan(place, older=True)
            rows = self._between(place, end, older=True)
            batch = list(rows.values_list(*columns, "pk", self.date_field or "pk")[:size])
            yield batch
            is_whole = end is None and len(batch) < size
            if len(batch) == size:
                place = Position(date=batch[-1][-1] if self.is_dated else None, pk=batch[-1][-2])
            else:
                place = end

    def _read(self, start: Position | None, *, older: bool) -> bool:
        """Read the page that begins after this row; False when that way lies no full page."""
        deadline = time.monotonic() + PATIENCE
        page: list[Any] = []
        place = start
        while True:
            end = self._end_of_scan(place, older)
            page += self._between(place, end, older)[: self.list_per_page + 1 - len(page)]
            is_full = len(page) > self.list_per_page
            if is_full or end is None or time.monotonic() >= deadline:
                break
            place = end
        del page[self.list_per_page :]
        onward = self._place(page[-1]) if is_full else end
        self.searched_to = None if is_full else end
        back = self._place(page[0]) if start and page else start
        self.older, self.newer = (onward, back) if older else (back, onward)
        self.result_list = page if older else page[::-1]
        return onward is not None

    def _between(self, start: Position | None, end: Position | None, older: bool) -> QuerySet[Any]:
        """Give the rows behind one place up to another."""
        rows = self._beyond(self.queryset, start, older)
        return rows if end is None else rows.filter(self._compared(end, "gte" if older else "lte"))

    def _end_of_scan(self, start: Position | None, older: bool) -> Position | None:
        """Give the last row that this page looks at; None where an index leads to its rows or few are left."""
        leader = self._leader()
        if not self.query and not self.has_other_lookups and self.active == ([leader] if leader else []):
            return None
        rows: QuerySet[Any] = self.root_queryset.order_by(*self._order())
        if leader is not None:
            rows = leader.queryset(self._request, rows)
        names = [self.date_field, "pk"] if self.is_dated else ["pk"]
        limit = SEARCHED if self.query else SCANNED
        found = self._beyond(rows, start, older).values_list(*names)[limit - 1 : limit].first()
        return Position(date=found[0] if self.is_dated else None, pk=found[-1]) if found else None

    def _leader(self) -> Any:
        """Give the filter whose index leads to the rows, None where there is none; a date must, as it sorts them."""
        led_by = [spec for spec in self.active if getattr(spec, "has_index", True)]
        return next((spec for spec in led_by if getattr(spec, "is_date", False)), led_by[0] if led_by else None)

    def _beyond(self, rows: QuerySet[Any], start: Position | None, older: bool) -> QuerySet[Any]:
        rows = rows if older else rows.reverse()
        return rows if start is None else rows.filter(self._compared(start, "lt" if older else "gt"))

    def _compared(self, place: Position, way: str) -> Q:
        by_id = Q(**{f"pk__{way}": place.pk})
        if place.date is None:
            return by_id
        # Said twice, since an index is only entered by a comparison that holds for all rows.
        date = self.date_field
        return Q(**{f"{date}__{way[:2]}e": place.date}) & (Q(**{f"{date}__{way[:2]}": place.date}) | by_id)

    def _place(self, row: Any) -> Position:
        return Position(date=getattr(row, self.date_field) if self.is_dated else None, pk=row.pk)

    def links(self) -> list[tuple[str, str]]:
        """Give the ways on from this page, each as its kind and its address."""
        found = [("newest", self.get_query_string())] if self._before or self._after else []
        if self.newer is not None:
            found.append(("newer", self.get_query_string({AFTER: str(self.newer)})))
        if self.older is not None:
            found.append(("further" if self.searched_to else "older", self.get_query_string({BEFORE: str(self.older)})))
        return found
