"""The change signal: whoever changes something says so, a running runner hears of it and misses nothing."""

import logging
from functools import cache, partial
from typing import Any, Final
from uuid import uuid4

from django.db import connections, transaction
from django.db.models import F

from . import conf, sql
from .connection import is_direct
from .models import Runner

logger = logging.getLogger("scheduler_bridge")

CHANNEL: Final = "scheduler_bridge"
# Where the revision is all there is: without NOTIFY, or behind a pooler that swallows it.
POLL: Final = 0.9  # seconds, so that a change acts within one
# Behind a NOTIFY that was seen to arrive; each heartbeat brings the revision too.
QUIET: Final = 60.0  # seconds


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


@cache
def _reading(using: str) -> str:
    """Give the statement that reads the revision, as cheap as one that is executed each second must be."""
    runner = sql.table(Runner, using)
    return f"SELECT {runner['revision']} FROM {runner} WHERE {runner['id']} = %s"


class Listener:
    """Hears changes on the connection of the thread that uses it; it is not to be shared between threads."""

    def __init__(self, using: str) -> None:
        self._connection = connections[using]
        self._using = using
        self._seen: int | None = None
        self._told: int | None = None
        self._polled_at = float("-inf")
        self._session: object = None  # the driver's connection that listens now
        self._shared: object = None  # the one that may be somebody else's in the next moment
        self._early = False  # heard before anybody asked
        self._proof = ""  # what the session has said to itself
        self._proven = False  # and heard: a pooler in transaction mode swallows it

    def fileno(self) -> int | None:
        """Give the descriptor that becomes readable on a change, or None where the revision must be polled."""
        self._early = self._listen() or self._early
        if self._session is None:
            return None
        with self._connection.wrap_database_errors:
            return int(self._connection.connection.fileno())

    def is_heard(self) -> bool:
        """Return whether a change was heard already: the descriptor shows none that came along with another answer."""
        self._early = self._heard() or self._early
        return self._early

    @property
    def pause(self) -> float:
        """The seconds after which `changed` must be asked again though nothing was heard."""
        return QUIET if self._proven else POLL

    def tell(self, revision: int | None) -> None:
        """Say what the revision is, for one who has just read it."""
        self._told = revision

    def changed(self, monotonic: float) -> bool:
        """Tell whether something changed since the last call; the first call after a (re)connection says yes."""
        early, self._early = self._early, False
        heard = self._listen() or self._heard() or early
        told, self._told = self._told, None
        if told is None and not heard and monotonic - self._polled_at < self.pause:
            return False
        self._polled_at = monotonic
        before, self._seen = self._seen, self._revision() if told is None else told
        return heard or before != self._seen

    def _revision(self) -> int | None:
        row = sql.fetch(self._using, _reading(self._using), [Runner.ROW])
        return None if row is None else int(row[0])

    def _listen(self) -> bool:
        """Start to listen if this connection does not yet; True when it is a new one."""
        if self._connection.vendor != "postgresql":
            return False
        self._connection.ensure_connection()
        raw = self._connection.connection
        if raw is self._session or raw is self._shared:
            return False
        if not is_direct(self._using):  # whoever gets the session next would hear what it listens to
            self._session, self._proven, self._shared = None, False, raw
            return True
        self._proof, self._proven = uuid4().hex, False
        with self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
            cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, self._proof])
        self._session, self._shared = raw, None
        return True

    def _heard(self) -> bool:
        """Take what has arrived, by itself or as the driver read another answer (psycopg 3.2.4 keeps that)."""
        if self._session is None:
            return False
        with self._connection.wrap_database_errors:
            words = _words(self._connection.connection)
        self._proven = self._proven or self._proof in words
        return bool(words - {self._proof})


def _words(raw: Any) -> set[str]:
    """Take the words that a session of the driver has heard."""
    if hasattr(raw, "pgconn"):
        return {found.payload for found in raw.notifies(timeout=0)}
    raw.poll()  # psycopg2
    heard, raw.notifies[:] = list(raw.notifies), []
    return {found.payload for found in heard}
