"""Those who wait to become the runner: each notes now and then that it waits, so that people can see it."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from . import conf
from .lease import Identity
from .models import Standby

NOTE_EVERY: Final = 10.0  # seconds
BELIEVED: Final = timedelta(seconds=30)  # after the last note
FORGOTTEN: Final = timedelta(days=1)  # for what a killed one left


def note(me: Identity, since: datetime, now: datetime) -> None:
    """Note that this process waits."""
    values = {"host": me.host, "machine": me.machine, "pid": me.pid, "since": since, "seen_at": now}
    _rows().update_or_create(token=me.token, defaults=values)
    _rows().filter(seen_at__lt=now - FORGOTTEN).delete()


def forget(me: Identity) -> None:
    """Note that this process waits no more."""
    _rows().filter(token=me.token).delete()


def seen(now: datetime) -> tuple[Standby, ...]:
    """Give those who wait now, the one that has waited longest first."""
    return tuple(_rows().filter(seen_at__gte=now - BELIEVED).order_by("since"))


class Rivals:
    """Knows who waits on another machine, by what was seen here: clocks of two hosts are never compared.

    One on the same machine is none: it ends this process before it takes over. One there that cannot names no machine.
    """

    def __init__(self, me: Identity) -> None:
        self._machine = me.machine
        self._seen: dict[str, tuple[datetime, float]] = {}  # by token: the note, and when it was first seen

    def look(self, uptime: float) -> tuple[str, ...]:
        """Give those who wait, in words."""
        found = [row for row in _rows().order_by("since") if not self._machine or row.machine != self._machine]
        self._seen = {row.token: self._sight(row, uptime) for row in found}
        waiting = (row for row in found if uptime - self._seen[row.token][1] <= BELIEVED.total_seconds())
        return tuple(f"{row.host} process {row.pid}" for row in waiting)

    def _sight(self, row: Standby, uptime: float) -> tuple[datetime, float]:
        before = self._seen.get(row.token)
        return before if before is not None and before[0] == row.seen_at else (row.seen_at, uptime)


def _rows() -> QuerySet[Standby]:
    return Standby.objects.using(conf.load().database)
