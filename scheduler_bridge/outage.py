"""Whether an error of a database is an outage, to be waited for, or a statement that fails for what it says.

Django's classes do not tell: a text that a column cannot hold is an OperationalError on MariaDB, a server that has
become read-only is an InternalError on PostgreSQL. The numbers and states of the databases themselves do.
"""

from typing import Final

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError

from .object_text import text_of, type_name
from .plain import one_line

# SQLSTATE: no connection, no such user or database now, transactions to repeat, too few resources, an operator, a disk.
_CLASSES: Final = frozenset({"08", "28", "3D", "40", "53", "57", "58"})
# Read-only; ended for being idle or long in a transaction; locked; busy; a file of the tables that cannot be read.
_STATES: Final = frozenset({"25006", "25P03", "25P04", "55P03", "55006", "XX001", "XX002"})
# MySQL and MariaDB: the server cannot be reached, used or written now. Those from 2000 on come from the client.
_NUMBERS: Final = frozenset(
    {
        *(0, 1015, 1020, 1021, 1026, 1030, 1037, 1038, 1040, 1041, 1042, 1043, 1044, 1045, 1047, 1049, 1053),
        *(1077, 1078, 1079, 1114, 1129, 1130, 1152, 1156, 1157, 1158, 1159, 1160, 1161, 1180, 1181, 1184, 1194),
        *(1203, 1205, 1206, 1213, 1226, 1290, 1317, 1613, 1614, 1637, 1792, 1836, 1927, 1969, 3024, 3572, 4031),
    }
)
_CLIENT: Final = range(2000, 2100)
_CLIENTS_REFUSALS: Final = frozenset({2020, 2029, 2031, 2033, 2034, 2035, 2036})  # too large a packet, parameters
# SQLite's primary codes: BUSY LOCKED NOMEM READONLY INTERRUPT IOERR CORRUPT FULL CANTOPEN PROTOCOL SCHEMA NOTADB.
_CODES: Final = frozenset({5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 17, 26})
SAID: Final = 500  # characters
_CLOSED: Final = "Cannot operate on a closed database."  # SQLite's module says it without a code
_REFUSALS: Final = (DataError, IntegrityError, ProgrammingError, NotSupportedError)


def is_outage(error: BaseException) -> bool:
    """Return whether the database is away, or unable to write, for now: the same statement may succeed later."""
    if not isinstance(error, DatabaseError | InterfaceError):
        return False
    cause = error.__cause__ or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if isinstance(state, str):
        return state[:2] in _CLASSES or state in _STATES
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in _CODES
    number = cause.args[0] if cause.args else None
    if isinstance(number, int):
        return number in _NUMBERS or (number in _CLIENT and number not in _CLIENTS_REFUSALS)
    # The connection itself, or one who speaks for it, says so without a number.
    return not isinstance(error, _REFUSALS) or number == _CLOSED


def described(error: BaseException) -> str:
    """Return what an error says, of the database above all, in one line."""
    return ": ".join(parted(error))


def parted(error: BaseException) -> tuple[str, str]:
    """Return what kind of error it is, and what it says."""
    text = one_line(text_of(error), SAID)
    if is_outage(error):
        return "the database does not answer", text
    if isinstance(error, DatabaseError):
        return "the database refuses a statement", f"{type_name(error)}: {text}"
    return type_name(error), text
