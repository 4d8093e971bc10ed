"""Becoming the runner: the wait for the lease, as a standby that says who holds it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from . import badge, conf, connection, deployment, identity, lease, standby
from .badge import Badge
from .lease import Holder, Identity, Watch

logger = logging.getLogger("scheduler_bridge")

LOOK_EVERY: Final = 1.0  # seconds between two looks at who holds the lease
UNPROVED: Final = (
    "process %s of this machine is the runner by the table, but does not prove that it serves this very database, which"
    " may be a copy of its own: it is waited for as one on another machine would be, and not killed"
)

SPARED: Final = (
    "process %s was the runner by the table and gave no sign of life here; it is not killed, as it does not prove"
    " that it serves this very database"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bystander:
    """What a candidate asks and tells while it waits."""

    stopping: Callable[[], bool]
    pause: Callable[[float], None]
    occupied: Callable[[str], bool]  # another holds the lease; True: wait for it
    outdated: Callable[[], None]  # other code than this process runs was migrated


class Candidacy:
    """One process that wants the lease."""

    def __init__(self, me: Identity, told: Bystander) -> None:
        self._me, self._told = me, told
        self._since = datetime.now(UTC)
        self._watch, self._said = Watch(), ""
        self._seen: dict[str, datetime] = {}  # by token: the heartbeat that was seen first
        self._noted_at, self._noted_of = float("-inf"), ""
        self._code = deployment.migrated_code()

    def win(self) -> bool:
        """Wait until the lease is ours; False when it is not worth waiting for any more."""
        try:
            while not self._told.stopping():
                won = self._look()
                if won is not None:
                    return won
            return False
        finally:
            if self._noted_at > float("-inf"):
                standby.forget(self._me)

    def _look(self) -> bool | None:
        if identity.is_replaced():
            connection.drop(conf.load().database)
            identity.learn(conf.load().database)
        if deployment.migrated_code() != self._code and deployment.is_outdated():
            self._told.outdated()
            return False
        holder = lease.holder()
        if holder is None or self._watch.expired(holder, time.monotonic()):
            return self._take(holder)
        return self._wait(holder)

    def _take(self, holder: Holder | None) -> bool | None:
        database = show(self._me)
        if holder is not None and holder.end(database):
            logger.warning("process %s was the runner and gave no sign of life, so it was killed", holder.pid)
        elif holder is not None and holder.is_here and not holder.is_gone():
            logger.warning(SPARED, holder.pid)
        return True if lease.acquire(self._me, holder, datetime.now(UTC)) else None

    def _wait(self, holder: Holder) -> bool | None:
        since = conf.load().local(holder.since)
        text = f"{holder.host} process {holder.pid} is the runner since {since:%Y-%m-%d %H:%M:%S %Z}"
        if text != self._said and not self._is_silent(holder):
            if not self._told.occupied(text):
                return False
            self._said = text
        if holder.token != self._noted_of or time.monotonic() - self._noted_at >= standby.NOTE_EVERY:
            self._note(holder)
        # A whole pause too many would be late: the heartbeat may have been a second old when it was first seen.
        self._told.pause(min(LOOK_EVERY, self._watch.left(time.monotonic())))
        lease.observe()
        return None

    def _is_silent(self, holder: Holder) -> bool:
        """Return whether the holder gives no sign: none lately, nor any since this process began to look.

        Its clock may be far off, so one that is heard of is there. One of a machine that is no more, or of the database
        that this one is a copy of, would else keep those from running for ever who do not wait.
        """
        seen = self._seen.setdefault(holder.token, holder.heartbeat_at)
        return seen == holder.heartbeat_at and not holder.is_alive(datetime.now(UTC))

    def _note(self, holder: Holder) -> None:
        """Note that this process waits, and whether the holder must end itself before it takes over."""
        ends_it = holder.is_proved(identity.learn(conf.load().database))
        if holder.is_here and not ends_it and holder.token != self._noted_of:
            logger.warning(UNPROVED, holder.pid)
        me = self._me if ends_it or not holder.is_here else replace(self._me, machine="")
        standby.note(me, self._since, datetime.now(UTC))
        self._noted_at, self._noted_of = time.monotonic(), holder.token


def show(me: Identity) -> str:
    """Let the process be seen as one that holds or wants the lease of this very database; return what stands for that.

    Raises:
        OperationalError, InterfaceError: the database does not answer.
        LeaseLost: the file of the database was replaced.
    """
    lease.see_file()
    database = identity.learn(conf.load().database)
    badge.show(Badge(me.token, database))
    return database
