"""The hold, during which the runner starts nothing, and the holds of before: who wanted them, and why."""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from . import conf
from .models import Hold, Runner

NONE: Final = {"held": False, "held_reason": "", "held_by": "", "held_at": None, "held_until": None}


def begin(reason: str, by: str, until: datetime | None, now: datetime) -> None:
    """Put the runner on hold, or let another hold follow the one that goes on.

    Args:
        until: when it ends by itself.
    """
    using = conf.load().database
    said = {"held_reason": reason, "held_by": by, "held_at": now, "held_until": until}
    Runner.objects.using(using).get_or_create(pk=Runner.ROW)
    with transaction.atomic(using=using):
        _runner().update(held=True, **said)
        _open().update(ended_at=now)
        Hold.objects.using(using).create(begun_at=now, reason=reason, by=by)


def end(now: datetime) -> None:
    """End the hold, if there is one."""
    with transaction.atomic(using=conf.load().database):
        _runner().update(**NONE)
        _open().update(ended_at=now)


def expire(now: datetime) -> bool:
    """End the hold if its time is over; True when it was."""
    with transaction.atomic(using=conf.load().database):
        ended = _runner().filter(held=True, held_until__lte=now)
        over = ended.values_list("held_until", flat=True).first()
        if over is None or not ended.update(**NONE):
            return False
        _open().update(ended_at=over)
    return True


def until() -> datetime | None:
    """Give the moment at which the hold ends by itself; None when there is none, or it does not."""
    return _runner().filter(held=True).values_list("held_until", flat=True).first()


def between(begin: datetime, end: datetime) -> tuple[Hold, ...]:
    """Give the holds that were in force at some time between two moments, in order."""
    is_later = Q(ended_at=None) | Q(ended_at__gt=begin)
    return tuple(_holds().filter(is_later, begun_at__lt=end).order_by("begun_at", "pk"))


def _open() -> QuerySet[Hold]:
    return _holds().filter(ended_at=None)


def _holds() -> QuerySet[Hold]:
    return Hold.objects.using(conf.load().database)


def _runner() -> QuerySet[Runner]:
    return Runner.objects.using(conf.load().database).filter(pk=Runner.ROW)
