"""What the runner asks of each database connection that it opens."""

import logging
import threading
from contextlib import suppress
from typing import Any, Final

from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.utils import Error

logger = logging.getLogger("scheduler_bridge")

# A server that looks whether its client is still there ends the long statement of a killed runner, and frees its
# locks, within a second (PostgreSQL 14, "client_connection_check_interval").
WATCHFUL: Final = {"postgresql": "SET client_connection_check_interval = 1000"}
# A thread that must keep turning waits for a lock this long at most.
IMPATIENT: Final = {
    "sqlite": "PRAGMA busy_timeout = 1000",
    "postgresql": "SET lock_timeout = 1000",
    "mysql": "SET SESSION innodb_lock_wait_timeout = 1",
}
_here = threading.local()


def prepare_all() -> None:
    """Prepare each connection that this process opens from now on."""
    connection_created.connect(_prepare, dispatch_uid="scheduler_bridge.connection")


def be_impatient() -> None:
    """Let the statements of the calling thread wait for a lock for a second at most."""
    _here.impatient = True


def drop(alias: str) -> None:
    """Close the calling thread's connection, so that the next statement opens a new one; a broken one may refuse."""
    with suppress(Error):
        connections[alias].close()


def _prepare(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    statements = [WATCHFUL.get(connection.vendor)]
    if getattr(_here, "impatient", False):
        statements.append(IMPATIENT.get(connection.vendor))
    for statement in filter(None, statements):
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        except DatabaseError as error:  # an older server, or a pooler, goes on without
            logger.debug("%s: %s", statement, error)
