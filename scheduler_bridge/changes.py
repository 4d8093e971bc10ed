"""The change signal: whoever changes something says so, a running runner hears of it and misses nothing."""

import logging
from functools import partial
from typing import Final

from django.db import connections, transaction
from django.db.models import F

from . import conf
from .models import Runner

logger = logging.getLogger("scheduler_bridge")

CHANNEL: Final = "scheduler_bridge"
# Behind NOTIFY, since a pooler in transaction mode swallows it; elsewhere the revision is all there is.
SLOW_POLL: Final = 5.0  # seconds
FAST_POLL: Final = 0.9  # seconds, so that a change acts within one


def announce() -> None:
    """Tell a running runner that something changed, as soon as the surrounding transaction is committed."""
    using = conf.load().database
    transaction.on_commit(partial(_bump, using), using=using, robust=True)


def _bump(using: str) -> None:
    rows = Runner.objects.using(using).filter(pk=Runner.ROW)
    if not rows.update(revision=F("revision") + 1):
        Runner.objects.using(using).get_or_create(pk=Runner.ROW)
        rows.update(revision=F("revision") + 1)
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")


class Listener:
    """Hears changes on the connection of the thread that uses it; it is not to be shared between threads."""

    def __init__(self, using: str) -> None:
        self._connection = connections[using]
        self._using = using
        self._seen: int | None = None
        self._polled_at = float("-inf")
        self._session: object = None  # the driver's connection that listens now

    def fileno(self) -> int | None:
        """Give the descriptor that becomes readable on a change, or None where the revision must be polled."""
        self._listen()
        if self._session is None:
            return None
        with self._connection.wrap_database_errors:
            return int(self._connection.connection.fileno())

    @property
    def pause(self) -> float:
        """The seconds after which `changed` must be asked again though nothing was heard."""
        return FAST_POLL if self._session is None else SLOW_POLL

    def changed(self, monotonic: float) -> bool:
        """Tell whether something changed since the last call; the first call after a (re)connection says yes."""
        heard = self._listen() or self._heard()
        if not heard and monotonic - self._polled_at < self.pause:
            return False
        self._polled_at = monotonic
        before, self._seen = self._seen, self._revision()
        return heard or before != self._seen

    def _revision(self) -> int | None:
        return Runner.objects.using(self._using).filter(pk=Runner.ROW).values_list("revision", flat=True).first()

    def _listen(self) -> bool:
        """Start to listen if this connection does not yet; True when it is a new one."""
        if self._connection.vendor != "postgresql":
            return False
        self._connection.ensure_connection()
        raw = self._connection.connection
        if raw is self._session or not hasattr(raw, "pgconn"):
            return False
        with self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        self._session = raw
        return True

    def _heard(self) -> bool:
        if self._session is None:
            return False
        with self._connection.wrap_database_errors:
            return len(list(self._connection.connection.notifies(timeout=0))) > 0
