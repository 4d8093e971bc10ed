"""What a job leaves behind on the database connections of its thread: noticed, named, and not left to the next one."""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import Error, connections

from ..connection import IMPATIENT_SESSION, WATCHFUL, drop, is_pooled

# Statements that change the session for good; those that end with the transaction are left out.
_STEERS: Final = re.compile(
    r"\s*(?:SET(?!\s+(?:LOCAL|CONSTRAINTS|TRANSACTION)\b)|RESET|DISCARD|LISTEN|PREPARE|LOCK\s+TABLES|PRAGMA[^;(]*="
    r"|ATTACH|DETACH|USE|LOAD\s+'|CREATE\s+(?:LOCAL\s+|GLOBAL\s+)?TEMP)",
    re.IGNORECASE,
)
_STEERING_CALLS: Final = ("set_config", "pg_advisory_lock", "pg_try_advisory_lock", "get_lock")
# MySQL's driver does not tell whether a transaction is open that was begun by hand.
_BEGINS: Final = re.compile(r"\s*(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)
_ENDS: Final = re.compile(r"\s*(?:COMMIT|ROLLBACK(?!\s+(?:WORK\s+)?TO))\b", re.IGNORECASE)
# What Django and we say ourselves to each new connection.
_GREETINGS: Final = (
    WATCHFUL,
    *IMPATIENT_SESSION.values(),
    "SET SQL_AUTO_IS_NULL",
    "SET SESSION TRANSACTION ISOLATION",
)


@dataclass(frozen=True, slots=True)
class Sessions:
    """The connections of this thread as they were before a job, and what it does to their sessions."""

    atomic: frozenset[str]  # aliases that were inside a transaction already
    steered: dict[str, str] = field(default_factory=dict)  # alias: the first statement that changed its session

    @classmethod
    def watched(cls) -> "Sessions":
        """Watch every connection from now on, until they are healed.

        Those that are not made yet stay so: the driver of an alias that no job asks for may be missing here.
        """
        used = connections.all(initialized_only=True)
        sessions = cls(frozenset(connection.alias for connection in used if connection.in_atomic_block))
        for connection in used:
            connection.execute_wrappers.append(sessions.look)
        return sessions

    def look(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        """Pass a statement on, and note one that changes the session."""
        connection = context["connection"]
        # What the drivers of PostgreSQL compose; psycopg2 asks a connection how names are quoted.
        text = sql.as_string(connection.connection) if hasattr(sql, "as_string") else sql
        self._note(connection, str(text))
        return execute(sql, params, many, context)

    def _note(self, connection: Any, text: str) -> None:
        begins = connection.vendor == "mysql" and bool(_BEGINS.match(text))
        if begins or _steers(text):
            self.steered.setdefault(connection.alias, " ".join(text.split())[:80])
        elif _ENDS.match(text) and _BEGINS.match(self.steered.get(connection.alias, "")):
            del self.steered[connection.alias]

    def heal(self) -> list[str]:
        """Close each connection that is not clean, and say why; a new one is opened when it is next needed."""
        found = []
        for connection in connections.all(initialized_only=True):
            is_watched = self._is_watched(connection)
            if connection.alias not in self.atomic and connection.connection is not None:
                found += self._heal(connection, is_watched)
        return found

    def _heal(self, connection: Any, is_watched: bool) -> list[str]:
        found = _dirt(connection)
        if connection.alias in self.steered:
            found.append(f"the session was changed ({self.steered[connection.alias]}) and is replaced")
        if found or not is_watched:
            _renew(connection)
        elif is_pooled(connection):
            with suppress(Error):
                connection.close()  # others wait for it
        return [f"database {connection.alias}: {text}" for text in found]

    def _is_watched(self, connection: Any) -> bool:
        """Watch no more, and return whether every statement was seen."""
        try:
            connection.execute_wrappers.remove(self.look)
        except ValueError:  # made by the job
            return False
        return True


def _steers(text: str) -> bool:
    if text.startswith(_GREETINGS):
        return False
    lower = text.lower()
    return bool(_STEERS.match(text)) or any(call in lower for call in _STEERING_CALLS)


def _renew(connection: Any) -> None:
    """Close a connection whatever state it is in; inside a block Django would only mark it as closed."""
    connection.execute_wrappers.clear()
    connection.run_on_commit = []
    connection.in_atomic_block = False
    connection.savepoint_ids = []
    connection.atomic_blocks = []
    connection.needs_rollback = False
    connection.closed_in_transaction = False
    drop(connection.alias)
    if connection.connection is not None:  # SQLite in memory: to close it would be to lose it
        connection.connection.rollback()
        connection.set_autocommit(True)


def _dirt(connection: Any) -> list[str]:
    found = []
    if connection.in_atomic_block:
        found.append("a transaction was left open and is rolled back")
    elif not connection.autocommit:
        found.append("autocommit was left off, what was not committed is rolled back")
    elif not _is_usable(connection):
        found.append("the connection was left unusable and is replaced")
    elif _is_in_transaction(connection):
        found.append("a transaction of the driver was left open and is rolled back")
    if connection.execute_wrappers:
        found.append("execute wrappers were left behind and are removed")
    return found


def _is_usable(connection: Any) -> bool:
    """Ask the driver rather than the server where it knows; one that the server closed meanwhile fails at the close of
    the run, which is then written on a new one."""
    if connection.vendor == "postgresql":
        raw = connection.connection
        return not (raw.closed or getattr(raw, "broken", False))  # psycopg2 has one word for both
    if connection.vendor == "sqlite":
        return _is_open(connection)
    return bool(connection.is_usable())


def _is_open(connection: Any) -> bool:
    """Tell whether a file is open; Django takes it to be."""
    try:
        return bool(connection.connection.total_changes >= 0)
    except connection.Database.ProgrammingError:
        return False


def _is_in_transaction(connection: Any) -> bool:
    raw = connection.connection
    if connection.vendor == "sqlite":
        return bool(raw.in_transaction)
    info = getattr(raw, "info", None)
    status = getattr(info, "transaction_status", 0)
    return connection.vendor == "postgresql" and int(status) != 0
