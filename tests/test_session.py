import importlib

import pytest
from django.db import connection, connections
from django.db.utils import ConnectionHandler

from scheduler_bridge.execution import in_process, room, session
from scheduler_bridge.execution.output import Capture
from scheduler_bridge.execution.session import Sessions
from scheduler_bridge.models import Runner

from .test_room import spoil


@pytest.mark.parametrize("what", ["autocommit", "atomic", "broken", "wrapper"])
def test_a_connection_that_was_left_dirty_is_healed_and_named(transactional_db, what):
    Runner.objects.get_or_create(pk=Runner.ROW)
    if connection.vendor == "sqlite" and what == "broken":
        pytest.skip("closing the raw connection would drop the database in memory")
    assert [text for text in spoil(what) if "database default" in text]
    assert Runner.objects.update(host="written") == 1
    assert connection.get_autocommit()
    assert Runner.objects.get().host == "written"


STATEMENTS = {
    "sqlite": ("PRAGMA recursive_triggers = ON", "create temp table if not exists aside (id int)"),
    "postgresql": (
        "SET search_path TO nowhere",
        " set\n statement_timeout = 1",
        "SELECT set_config('search_path', 'nowhere', false)",
        "SELECT pg_advisory_lock(7)",
        "CREATE TEMP TABLE aside (id int)",
        "LISTEN anything",
    ),
    "mysql": (
        "SET SESSION sql_mode = ''",
        "USE information_schema",
        "SELECT GET_LOCK('aside', 1)",
        "LOCK TABLES scheduler_bridge_run READ",
    ),
}
PLAIN = (
    "SELECT 1",
    "UPDATE scheduler_bridge_runner SET revision = revision",
    "SET LOCAL x = 1",
    "SET CONSTRAINTS ALL DEFERRED",
    "LOCK TABLE scheduler_bridge_run",
    "SELECT pg_advisory_xact_lock(7)",
    "PRAGMA table_info(scheduler_bridge_run)",
    "LOAD DATA INFILE 'x' INTO TABLE y",
)


@pytest.mark.parametrize("number", range(6))
def test_a_session_that_was_changed_is_replaced_and_named(transactional_db, number):
    Runner.objects.get_or_create(pk=Runner.ROW)
    statements = STATEMENTS[connection.vendor]
    statement = statements[number % len(statements)]
    sessions = Sessions.watched()
    raw = connection.connection
    with connection.cursor() as cursor:
        cursor.execute(statement)
    text = sessions.heal()[-1]
    assert text.startswith("database default: the session was changed (")
    assert connection.vendor == "sqlite" or connection.connection is not raw
    assert Runner.objects.update(host="written") == 1


def test_a_transaction_that_was_begun_by_hand_is_noticed(transactional_db):
    Runner.objects.get_or_create(pk=Runner.ROW)
    sessions = Sessions.watched()
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE scheduler_bridge_runner SET host = 'lost'")
    (text,) = sessions.heal()
    assert "a transaction of the driver was left open" in text or "(BEGIN)" in text
    assert Runner.objects.get().host != "lost"


@pytest.mark.parametrize("end", ["COMMIT", "rollback"])
def test_a_transaction_that_was_ended_by_hand_is_left_alone(transactional_db, end):
    sessions = Sessions.watched()
    with connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(end)
    assert sessions.heal() == []


def test_a_file_that_was_closed_beneath_django_is_opened_anew(db, tmp_path):
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "file"}}
    file = ConnectionHandler(databases)["default"]
    file.ensure_connection()
    file.connection.close()
    assert session._dirt(file) == ["the connection was left unusable and is replaced"]
    file.close()
    file.ensure_connection()
    assert session._dirt(file) == []
    file.close()


@pytest.mark.parametrize("statement", PLAIN)
def test_a_statement_that_ends_with_its_transaction_is_left_alone(db, statement):
    sessions = Sessions.watched()
    context = {"connection": connection}
    assert sessions.look(lambda *words: words[0], statement, None, False, context) == statement
    assert sessions.steered == {}
    sessions.heal()


def test_nothing_is_watched_any_more_afterwards(db):
    before = {one.alias: list(one.execute_wrappers) for one in connections.all()}
    room.restore(room.snapshot())
    assert {one.alias: list(one.execute_wrappers) for one in connections.all()} == before


def test_a_connection_that_a_job_opens_is_no_change(transactional_db):
    if connection.vendor != "sqlite":
        connection.close()
    before = room.snapshot()
    in_process.run("specimen", "tests.demo", (), Capture(1000))
    assert Runner.objects.count() >= 0
    assert room.restore(before) == ()


def test_a_composed_statement_is_read_too(db):
    if connection.vendor != "postgresql":
        pytest.skip("only psycopg composes statements")
    sessions = Sessions.watched()
    composed = importlib.import_module("psycopg.sql").SQL("SET search_path TO nowhere")
    sessions.look(lambda *words: None, composed, None, False, {"connection": connection})
    assert sessions.steered
    sessions.heal()
