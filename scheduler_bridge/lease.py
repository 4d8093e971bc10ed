"""One runner at a time: the time-limited right to be it, acquired, renewed, confirmed and released."""

import os
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import psutil
from django.db import connections, transaction
from django.db.models import F, QuerySet

from . import conf
from .exceptions import LeaseLost
from .models import Runner

HEARTBEAT_EVERY: Final = 4.0  # seconds
EXPIRES_AFTER: Final = 12.0  # seconds without a heartbeat, watched by the one who takes over
ALIVE_WITHIN: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process that is or wants to be the runner."""

    token: str
    host: str
    machine: str
    pid: int
    process_started: float

    @classmethod
    def mine(cls) -> "Identity":
        """Give the identity of this process, new at each call."""
        started = psutil.Process().create_time()
        return cls(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            machine=machine(),
            pid=os.getpid(),
            process_started=started,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the lease, as the row says it."""

    token: str
    host: str
    machine: str
    pid: int
    process_started: float
    since: datetime
    heartbeat_at: datetime
    loop_at: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """Tell whether the last heartbeat is young enough to believe in."""
        return now - self.heartbeat_at <= ALIVE_WITHIN

    def is_gone(self) -> bool:
        """Tell whether this was a process of this machine that runs no more; False where nobody here can know."""
        if not self.machine or self.machine != machine():
            return False
        try:
            # Two clocks tell the start of a process; they agree to well under a second.
            return abs(psutil.Process(self.pid).create_time() - self.process_started) > 1
        except psutil.NoSuchProcess:
            return True


def machine() -> str:
    """Give what names this boot of this machine and its space of process ids; empty where that cannot be told.

    The name of a host is not enough: two containers may share it and see each other's processes as gone.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


class Watch:
    """Decides when a standby may take over, by what it saw itself: clocks of two hosts are never compared."""

    def __init__(self) -> None:
        self._seen: tuple[str, datetime] | None = None
        self._since = 0.0

    def expired(self, holder: Holder, monotonic: float) -> bool:
        """Tell whether this holder is gone, or its heartbeat has stood still for long enough."""
        sight = (holder.token, holder.heartbeat_at)
        if sight != self._seen:
            self._seen, self._since = sight, monotonic
        return holder.is_gone() or monotonic - self._since >= EXPIRES_AFTER


def holder() -> Holder | None:
    """Give who holds the lease; None when nobody does."""
    row = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW).exclude(token="").first()
    if row is None or row.pid is None or row.since is None or row.heartbeat_at is None:
        return None
    return Holder(
        token=row.token,
        host=row.host,
        machine=row.machine,
        pid=row.pid,
        process_started=row.process_started or 0.0,
        since=row.since,
        heartbeat_at=row.heartbeat_at,
        loop_at=row.loop_at,
    )


def observe() -> Holder | None:
    """Give the holder, seen in a moment in which it could have renewed its lease.

    Raises:
        OperationalError: SQLite is locked, so a heartbeat that stands still says nothing.
    """
    using = conf.load().database
    with transaction.atomic(using=using):
        if connections[using].vendor == "sqlite":
            Runner.objects.using(using).filter(pk=Runner.ROW).update(revision=F("revision"))
        return holder()


def acquire(me: Identity, before: Holder | None, now: datetime) -> bool:
    """Take the lease from nobody or from this expired holder; False when another was faster."""
    Runner.objects.using(conf.load().database).get_or_create(pk=Runner.ROW)
    rows = _row().filter(token=before.token if before else "")
    if before:
        rows = rows.filter(heartbeat_at=before.heartbeat_at)
    return (
        rows.update(
            token=me.token,
            host=me.host,
            machine=me.machine,
            pid=me.pid,
            process_started=me.process_started,
            since=now,
            heartbeat_at=now,
            loop_at=None,
        )
        == 1
    )


def renew(me: Identity, now: datetime, loop_at: datetime | None) -> None:
    """Renew the lease.

    Raises:
        LeaseLost: another process has taken it.
    """
    if not _row().filter(token=me.token).update(heartbeat_at=now, loop_at=loop_at):
        raise LeaseLost("another process is the runner now")


def confirm(me: Identity) -> None:
    """Make sure, inside the caller's transaction, that the lease is and stays ours until it is committed.

    Raises:
        LeaseLost: another process has taken it.
    """
    if not _row().filter(token=me.token).update(pid=me.pid):
        raise LeaseLost("another process is the runner now")


def release(me: Identity) -> None:
    """Give the lease back, so that a standby takes over at once; nothing happens when it is not ours."""
    _row().filter(token=me.token).update(token="", loop_at=None)


def _row() -> QuerySet[Runner]:
    return Runner.objects.using(conf.load().database).filter(pk=Runner.ROW)
