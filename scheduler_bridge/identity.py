"""What a database is: where it lies, which tells it from every other one, and from its own copies above all.

Nothing that is stored can tell them apart, since a copy holds it too. So each process works it out from a connection of
its own, and two that find the same serve the same database. Two that reach one database by different ways may find
something different: that is the safe side, since then neither ends a process of the other.
"""

import ipaddress
import logging
import os
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from django.db import DatabaseError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("scheduler_bridge")

LENGTH: Final = 16  # characters of what stands for a database
POSTGRESQL: Final = (
    "SELECT host(inet_server_addr()), inet_server_port(), current_setting('port'), oid, {}"
    " FROM pg_database WHERE datname = current_database()"
)
CLUSTER: Final = "(SELECT system_identifier FROM pg_control_system())"  # which not every user may call
# Which of them there are depends on the server and its version.
MYSQL: Final = (
    "SHOW VARIABLES WHERE Variable_name IN"
    " ('hostname', 'port', 'datadir', 'socket', 'server_id', 'server_uid', 'server_uuid')"
)


@dataclass(slots=True)
class Learnt:
    """What was worked out last."""

    database: str = ""
    path: str = ""  # of a file of SQLite
    file: tuple[int, int] = (0, 0)  # its device and number


_learnt = Learnt()


def learn(using: str) -> str:
    """Work out what stands for this database, and return it; empty where nothing proves which one it is.

    Raises:
        OperationalError, InterfaceError: the database does not answer.
    """
    connection = connections[using]
    try:
        parts = tuple(_parts(connection))
    except OperationalError:
        raise
    except DatabaseError as error:  # a server that only speaks like one of these
        logger.debug("the database does not tell which one it is: %s", error)
        parts = ()
    text = "\0".join(map(str, (connection.vendor, *parts)))
    _learnt.database = sha256(text.encode()).hexdigest()[:LENGTH] if parts else ""
    return _learnt.database


def known() -> str:
    """Return what stands for the database that this process serves, as it was worked out last; empty before."""
    return _learnt.database


def is_replaced() -> bool:
    """Return whether another file lies where this process has opened its database of SQLite.

    It would go on in a file that nobody else sees any more.
    """
    try:
        return bool(_learnt.path) and _file(_learnt.path) != _learnt.file
    except OSError:  # there is none at the moment
        return False


def _parts(connection: BaseDatabaseWrapper) -> Iterable[object]:
    match connection.vendor:
        case "sqlite":
            return _sqlite(connection)
        case "postgresql":
            return _postgresql(connection)
        case "mysql":
            return _mysql(connection)
    return ()


def _sqlite(connection: BaseDatabaseWrapper) -> tuple[object, ...]:
    path = next(row[2] for row in _rows(connection, "PRAGMA database_list") if row[1] == "main")
    if not path:
        return ("memory", os.getpid())
    try:
        _learnt.path, _learnt.file = path, _file(path)
    except OSError:  # it was deleted and is open still
        return ()
    return _learnt.file


def _file(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _postgresql(connection: BaseDatabaseWrapper) -> tuple[object, ...]:
    try:
        with transaction.atomic(using=connection.alias) if connection.in_atomic_block else nullcontext():
            rows = _rows(connection, POSTGRESQL.format(CLUSTER))
    except OperationalError:
        raise
    except DatabaseError:
        rows = _rows(connection, POSTGRESQL.format("NULL"))
    ((address, *numbers),) = rows
    place = (address,) if address else _socket(str(connection.connection.info.host))
    network = _network() if not address or ipaddress.ip_address(address).is_loopback else ""
    return (*place, network, *numbers)


def _socket(folder: str) -> tuple[object, ...]:
    """Return what tells the folder of a server's socket; it may have several names."""
    try:
        found = os.stat(folder)
    except OSError:  # none that is seen from here: a pooler's host, or an abstract socket
        return (folder,)
    return found.st_dev, found.st_ino


def _mysql(connection: BaseDatabaseWrapper) -> tuple[object, ...]:
    settings = connection.settings_dict
    variables = (f"{name}={value}" for name, value in sorted(_rows(connection, MYSQL)))
    ((database,),) = _rows(connection, "SELECT DATABASE()")
    return (settings["HOST"], settings["PORT"], _network(), *variables, database)


def _network() -> str:
    """Return what names this process's space of addresses: in each, the same local address may be another server."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/net")
    return ""


def _rows(connection: BaseDatabaseWrapper, statement: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
