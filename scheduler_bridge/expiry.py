"""What a person changed until a certain moment returns then by itself: a switch, an override, a hold."""

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Min, Q, QuerySet

from . import conf, holds, registry
from .models import Job

SWITCH: Final[dict[str, Any]] = {"enabled": True, "disabled_reason": "", "disabled_until": None}
OVERRIDE: Final[dict[str, Any]] = {
    "override_interval": None,
    "override_times": None,
    "override_reason": "",
    "override_until": None,
}


def next_end() -> datetime | None:
    """Give the moment at which the first of them returns; None when none has an end."""
    ends = _jobs().aggregate(switch=Min("disabled_until"), override=Min("override_until"))
    return min((end for end in (*ends.values(), holds.until()) if end is not None), default=None)


def expire(now: datetime) -> list[str]:
    """Let return what has ended; give one line for each."""
    ended = _jobs().filter(Q(disabled_until__lte=now) | Q(override_until__lte=now))
    lines = [line for pk in ended.values_list("pk", flat=True) for line in _return(pk, now)]
    if holds.expire(now):
        lines.append("the hold has ended, as was said when it began")
    return lines


def _return(pk: int, now: datetime) -> list[str]:
    """Let one job return, as from the moment that was said: what fell due since then is owed."""
    using = conf.load().database
    with transaction.atomic(using=using):
        row = _jobs().select_for_update().get(pk=pk)
        lines = []
        for word, end, values in _ends(row):
            if end is not None and end <= now:
                _change(row, values)
                registry.settle(row, registry.plan_of(row), end)
                lines.append(f"job {row.name}: {word} has ended, as was said when it began")
    return lines


def _ends(row: Job) -> list[tuple[str, datetime | None, dict[str, Any]]]:
    """Give what of this row may end, in the order in which it does."""
    ends: list[tuple[str, datetime | None, dict[str, Any]]] = [
        ("being disabled", row.disabled_until, SWITCH),
        ("the override", row.override_until, OVERRIDE),
    ]
    return sorted(ends, key=lambda item: (item[1] is None, item[1]))


def _change(row: Job, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    _jobs().filter(pk=row.pk).update(**values)


def _jobs() -> QuerySet[Job]:
    return Job.objects.using(conf.load().database).filter(removed_at=None)
