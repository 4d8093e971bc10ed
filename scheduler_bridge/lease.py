"""One runner at a time: the time-limited right to be it, acquired, renewed, confirmed and released."""

import os
import select
import signal
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import psutil
from django.db import connections, transaction
from django.db.models import F, QuerySet

from . import badge, conf, identity, sql
from .badge import Badge
from .exceptions import LeaseLost
from .models import Runner

# A runner that has nothing to lose speaks seldom; one with a run in hand may not seem dead for a stalled server.
BEAT_IDLE: Final = 11.0  # seconds
BEAT_BUSY: Final = 4.0  # seconds
# A standby looks once a second, and when this is over: it takes over within 15 seconds after the last heartbeat.
EXPIRES_AFTER: Final = 13.5  # seconds without a heartbeat, watched by the one who takes over
KILLED_WITHIN: Final = 5.0  # seconds that a killed process is waited for
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

    @property
    def is_here(self) -> bool:
        """Whether this was a process of this machine, as the row says it."""
        return bool(self.machine) and self.machine == machine()

    def is_proved(self, database: str) -> bool:
        """Return whether a process that can be ended from here shows that it holds this lease of this very database.

        The row proves nothing: a copy of the database names the runner of the one that was copied.
        """
        if not self.is_here:
            return False
        with badge.held(self.pid, Badge(self.token, database)) as process:
            return process is not None

    def end(self, database: str) -> bool:
        """Kill the process if it is proved to hold this lease of this very database; True when that was done.

        One that was frozen past its lease would go on with its job when it is thawed, beside the next runner's.
        """
        if not self.is_here:
            return False
        with badge.held(self.pid, Badge(self.token, database)) as process:
            if process is None:
                return False
            with suppress(ProcessLookupError):  # it has ended in between
                signal.pidfd_send_signal(process, signal.SIGKILL)
            return bool(select.select([process], [], [], KILLED_WITHIN)[0])

    def is_gone(self) -> bool:
        """Tell whether this was a process of this machine that runs no more; False where nobody here can know."""
        if not self.is_here:
            return False
        try:
            process = psutil.Process(self.pid)
            return self._is_another(process) or bool(process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return not badge.is_hidden(self.pid)
        except psutil.AccessDenied:
            return False

    def _is_another(self, process: psutil.Process) -> bool:
        # Two clocks tell the start of a process. They agree to well under a second, unless one was set in between.
        return abs(process.create_time() - self.process_started) > 1 and not badge.is_worn(self.pid, self.token)


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

    def left(self, monotonic: float) -> float:
        """Give the seconds for which the holder that was seen last may stay silent."""
        return max(0.0, self._since + EXPIRES_AFTER - monotonic)


def holder() -> Holder | None:
    """Give who holds the lease; None when nobody does."""
    row = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW).first()
    return None if row is None else holder_of(row)


def holder_of(row: Runner) -> Holder | None:
    """Give who holds the lease by this row; None when nobody does."""
    if not row.token or row.pid is None or row.since is None or row.heartbeat_at is None:
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


def renew(me: Identity, now: datetime, loop_at: datetime | None) -> int | None:
    """Renew the lease; give the revision of all changes where that costs no second statement.

    Raises:
        LeaseLost: another process has taken it.
    """
    using = conf.load().database
    if connections[using].vendor == "postgresql":
        values = sql.table(Runner, using).values({"heartbeat_at": now, "loop_at": loop_at})
        row = sql.fetch(using, _renewal(using), [*values, *confirmed(me)])
        if row is not None:
            return int(row[0])
    elif _row().filter(token=me.token).update(heartbeat_at=now, loop_at=loop_at):
        return None
    raise LeaseLost("another process is the runner now")


@cache
def _renewal(using: str) -> str:
    runner = sql.table(Runner, using)
    return (
        f"UPDATE {runner} SET {runner['heartbeat_at']} = %s, {runner['loop_at']} = %s "
        f"WHERE {runner['id']} = %s AND {runner['token']} = %s RETURNING {runner['revision']}"
    )


def confirm(me: Identity) -> None:
    """Make sure, inside the caller's transaction, that the lease is and stays ours until it is committed.

    Raises:
        LeaseLost: another process has taken it.
    """
    using = conf.load().database
    if not sql.change(using, confirmation(using), confirmed(me)):
        raise LeaseLost("another process is the runner now")


@cache
def confirmation(using: str) -> str:
    """Give the statement that meets the lease's row if it is still ours and locks it, for `confirmed` to fill in."""
    runner = sql.table(Runner, using)
    where = f"WHERE {runner['id']} = %s AND {runner['token']} = %s"
    if connections[using].vendor == "postgresql":
        return f"SELECT 1 FROM {runner} {where} FOR SHARE"  # without a new version of the row
    return f"UPDATE {runner} SET {runner['revision']} = {runner['revision']} {where}"


def confirmed(me: Identity) -> list[object]:
    """Give the values of `confirmation`."""
    return [Runner.ROW, me.token]


def see_file() -> None:
    """Make sure that a lease in a file of SQLite is the one that others see.

    Raises:
        LeaseLost: another file lies in the place of the one that this process has open.
    """
    if identity.is_replaced():
        raise LeaseLost("the file of the database was replaced, and this process has the former one open")


def release(me: Identity) -> None:
    """Give the lease back, so that a standby takes over at once; nothing happens when it is not ours."""
    _row().filter(token=me.token).update(token="", loop_at=None)


def _row() -> QuerySet[Runner]:
    return Runner.objects.using(conf.load().database).filter(pk=Runner.ROW)
