"""What the runner asks of the database connections of its threads, and how it keeps that from everybody else.

A session may be somebody else's in the next moment: a pooler gives it to another client, a pool to another thread. So
nothing is set for a session that is not proved to be ours alone.
"""

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import Error

logger = logging.getLogger("scheduler_bridge")

# A server that looks whether its client is still there ends the long statement of a killed runner, and frees its
# locks, within a second (PostgreSQL 14). Set only where the server's process is the one that greeted this client.
WATCHFUL: Final = "SELECT set_config('client_connection_check_interval', '1000', false) WHERE pg_backend_pid() = %s"
# A thread that must keep turning waits for a lock this long at most. Said with each statement, in the same journey, it
# ends with the statement's transaction; only rows are waited for in what MariaDB takes it with.
IMPATIENT: Final = {
    "postgresql": (re.compile(""), "SET LOCAL lock_timeout = 1000; "),
    "mariadb": (
        re.compile(r"\s*(?:SELECT|INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE),
        "SET STATEMENT innodb_lock_wait_timeout=1 FOR ",
    ),
}
# Where a statement cannot say it: a file has no poolers, and those of MySQL keep what is set with the client.
IMPATIENT_SESSION: Final = {
    "sqlite": "PRAGMA busy_timeout = 1000",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
}


def prepare_all() -> None:
    """Prepare each connection that this process opens from now on."""
    connection_created.connect(_prepare, dispatch_uid="scheduler_bridge.connection")


def be_own(alias: str) -> None:
    """Keep the calling thread's connection out of the project's pool, which is left to the project's own code."""
    _leave_out(connections[alias], "pool")


def be_impatient(alias: str) -> None:
    """Let the statements of the calling thread wait for a lock for a second at most, on a connection of its own."""
    connection = connections[alias]
    # A server that binds the parameters itself takes one statement at a time.
    _leave_out(connection, "pool", "server_side_binding")
    if _hurry not in connection.execute_wrappers:
        connection.execute_wrappers.append(_hurry)


def is_direct(alias: str) -> bool:
    """Return whether no pooler is in between: one would name a process of the server that it made up."""
    connection = connections[alias]
    if connection.vendor != "postgresql" or is_pooled(connection):
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return bool(cursor.fetchone()[0] == _greeter(connection))


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the connection goes back into a pool of this process when it is closed."""
    return bool((connection.settings_dict.get("OPTIONS") or {}).get("pool"))


def pool_threads() -> tuple[str, ...]:
    """Return what the names of the threads begin with that keep the pools of this process."""
    used = connections.all(initialized_only=True)
    pools = [pool for connection in used for pool in getattr(connection, "_connection_pools", {}).values()]
    return tuple({f"{pool.name}-" for pool in pools if getattr(pool, "name", "")})


def drop(alias: str) -> None:
    """Close the calling thread's connection, so that the next statement opens a new one; a broken one may refuse.

    A pool throws away what comes back closed.
    """
    connection = connections[alias]
    with suppress(Error), connection.wrap_database_errors:
        if connection.connection is not None and is_pooled(connection):
            connection.connection.close()
    with suppress(Error):
        connection.close()


def _leave_out(connection: BaseDatabaseWrapper, *names: str) -> None:
    """Leave options out of what the next connection is opened with; other threads share the settings."""
    options = connection.settings_dict.get("OPTIONS") or {}
    if connection.in_atomic_block or not any(options.get(name) for name in names):
        return
    connection.close()
    kept = {name: value for name, value in options.items() if name not in names}
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": kept}


def _greeter(connection: BaseDatabaseWrapper) -> int | None:
    """Return the process of the server as the driver was told of it when it connected; None where it was not."""
    return getattr(getattr(connection.connection, "info", None), "backend_pid", None)


def _hurry(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Pass a statement on with how long it may wait for a lock."""
    connection, cursor = context["connection"], context["cursor"].cursor
    form, head = IMPATIENT.get(_kind(connection), (None, ""))
    # A named cursor is declared for one statement.
    if form is None or many or not isinstance(sql, str) or getattr(cursor, "name", None) or not form.match(sql):
        return execute(sql, params, many, context)
    result = execute(head + sql, params, many, context)
    if hasattr(connection.connection, "pgconn"):  # psycopg 3 shows the first result, psycopg2 the last one
        cursor.nextset()
    return result


def _kind(connection: Any) -> str:
    # Asked for while Django asks the server itself, the answer would not come to an end.
    is_known = connection.vendor == "mysql" and "mysql_server_data" in vars(connection)
    return "mariadb" if is_known and connection.mysql_is_mariadb else str(connection.vendor)


def _prepare(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    if connection.vendor == "postgresql" and not is_pooled(connection):
        _say(connection, WATCHFUL, [_greeter(connection)])
    if _hurry in connection.execute_wrappers and (kind := _kind(connection)) in IMPATIENT_SESSION:
        _say(connection, IMPATIENT_SESSION[kind], None)


def _say(connection: BaseDatabaseWrapper, statement: str, values: list[Any] | None) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
    except DatabaseError as error:  # an older server goes on without
        logger.debug("%s: %s", statement, error)
