"""What is waited for, and what never gets better: by the states and numbers of the databases."""

import sqlite3

import pytest
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.db.utils import Error

from scheduler_bridge.models import Runner
from scheduler_bridge.outage import described, is_outage


class Stated(Exception):
    """An error of psycopg 3."""

    def __init__(self, state: str | None) -> None:
        super().__init__("said by the driver")
        self.sqlstate = state


class Coded(Exception):
    """An error of psycopg 2."""

    def __init__(self, state: str | None) -> None:
        super().__init__("said by the driver")
        self.pgcode = state


def wrapped(kind: type[Error], cause: BaseException) -> Error:
    error = kind(*cause.args)
    error.__cause__ = cause
    return error


STATES = {
    "08006": True,  # connection failure
    "08P01": True,  # what pgbouncer says
    "25006": True,  # read-only
    "25P03": True,  # idle in transaction for too long
    "28P01": True,  # a password that is being changed
    "3D000": True,  # a database that is being restored
    "40001": True,
    "40P01": True,
    "53100": True,  # disk full
    "53300": True,  # too many connections
    "55P03": True,  # lock not available
    "57P01": True,  # shutdown
    "57P03": True,  # starting up
    "58030": True,
    "22001": False,  # too long
    "22021": False,  # not in the encoding
    "22P05": False,  # untranslatable
    "23503": False,
    "23505": False,
    "25P02": False,
    "42P01": False,  # no such table
    "42703": False,
    "0A000": False,
}
NUMBERS = {
    1040: True,
    1053: True,
    1205: True,
    1213: True,
    1290: True,
    1836: True,
    1927: True,
    2002: True,
    2003: True,
    2006: True,
    2013: True,
    4031: True,
    1054: False,
    1062: False,
    1146: False,
    1153: False,
    1264: False,
    1267: False,
    1366: False,
    1406: False,
    1452: False,
    2020: False,
}
KINDS = (OperationalError, InternalError, DatabaseError, InterfaceError, DataError, IntegrityError, ProgrammingError)


@pytest.mark.parametrize(("state", "expected"), STATES.items())
def test_postgresql_says_by_its_state_whatever_the_class(state, expected):
    errors = [wrapped(kind, driver(state)) for kind in KINDS for driver in (Stated, Coded)]
    assert {is_outage(error) for error in errors} == {expected}


@pytest.mark.parametrize(("number", "expected"), NUMBERS.items())
def test_mysql_says_by_its_number_whatever_the_class(number, expected):
    errors = [wrapped(kind, Exception(number, "said by the driver")) for kind in KINDS]
    errors += [kind(number, "said by Django") for kind in KINDS]
    assert {is_outage(error) for error in errors} == {expected}


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError, InternalError, DatabaseError])
@pytest.mark.parametrize("driver", [Stated(None), Coded(None), Exception("connection refused"), Exception()])
def test_a_connection_that_fails_says_nothing_more(kind, driver):
    assert is_outage(wrapped(kind, driver))


@pytest.mark.parametrize("kind", [DataError, IntegrityError, ProgrammingError, NotSupportedError])
def test_what_a_driver_refuses_by_itself_is_no_outage(kind):
    assert not is_outage(wrapped(kind, Stated(None)))
    assert not is_outage(kind("PostgreSQL text fields cannot contain NUL (0x00) bytes"))


@pytest.mark.parametrize("error", [ValueError("x"), UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), OSError(28, "x")])
def test_an_error_of_no_database_is_no_outage(error):
    assert not is_outage(error)


def _failing(path, *statements: str) -> sqlite3.Error:
    session = sqlite3.connect(path, timeout=0)
    try:
        for statement in statements:
            session.execute(statement)
    except sqlite3.Error as error:
        return error
    finally:
        session.close()
    raise AssertionError(f"expected an error of {statements}")


def test_sqlite_says_by_its_code(tmp_path):
    path = tmp_path / "site.sqlite3"
    owner = sqlite3.connect(path, isolation_level=None)
    owner.execute("CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
    owner.execute("BEGIN EXCLUSIVE")
    busy = _failing(path, "SELECT * FROM shop")
    owner.execute("COMMIT")
    owner.close()
    read_only = _failing(path, "PRAGMA query_only = 1", "DELETE FROM shop")
    nowhere = tmp_path / "none"
    with pytest.raises(sqlite3.Error) as cannot_open:
        sqlite3.connect(nowhere / "site.sqlite3")
    full = _failing(path, "PRAGMA max_page_count = 1", "CREATE TABLE a (x)", "CREATE TABLE b (x)")
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"no database at all " * 100)
    outages = [busy, read_only, cannot_open.value, full, _failing(garbage, "SELECT * FROM shop")]
    assert [error for error in outages if not is_outage(wrapped(OperationalError, error))] == []
    refusals = [
        _failing(path, "SELECT * FROM nothing"),
        _failing(path, "SELECT colour FROM shop"),
        _failing(path, "INSERT INTO shop VALUES (1, NULL)"),
        _failing(path, "SELECT"),
    ]
    assert [error for error in refusals if is_outage(wrapped(OperationalError, error))] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM scheduler_bridge_nothing",
        "SELECT colour FROM scheduler_bridge_run",
        "SELEKT 1",
        "INSERT INTO scheduler_bridge_job (id) VALUES (NULL)",
    ],
)
def test_what_this_database_refuses_is_no_outage(statement):
    with pytest.raises(Error) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert not is_outage(refused.value)


@pytest.mark.django_db
def test_a_row_that_is_there_is_no_outage(me):
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        Runner.objects.bulk_create([Runner(pk=Runner.ROW)])
    assert not is_outage(refused.value)


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "postgresql", reason="its states")
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SET TRANSACTION READ ONLY; UPDATE scheduler_bridge_run SET host = ''", True),
        ("SET LOCAL statement_timeout = 20; SELECT pg_sleep(5)", True),
        ("SELECT chr(0)", False),
        ("SELECT 1 / 0", False),
        ("SELECT repeat('x', 600)::varchar(500)::int", False),
    ],
)
def test_a_real_server_is_understood(statement, expected):
    with pytest.raises(Error) as refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert is_outage(refused.value) is expected


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OperationalError("connection refused\n"), "the database does not answer: connection refused"),
        (ProgrammingError("no such table"), "the database refuses a statement: ProgrammingError: no such table"),
        (ValueError("x\ny"), "ValueError: x y"),
    ],
)
def test_an_error_is_described_in_one_line(error, text):
    assert described(error) == text
