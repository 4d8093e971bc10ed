import importlib

import pytest
from django.db import connection, connections
from django.db.utils import ConnectionHandler

from scheduler_bridge import connection as asked
from scheduler_bridge.execution import in_process, room, session
from scheduler_bridge.execution.output import Capture
from scheduler_bridge.execution.session import Sessions
from scheduler_bridge.models import Runner
from tests.settings import DRIVER

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
    asked.WATCHFUL,  # what each new connection is told
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


def test_a_composed_statement_is_read_too(transactional_db):
    if connection.vendor != "postgresql":
        pytest.skip("only the drivers of PostgreSQL compose statements")
    compose = importlib.import_module(f"{DRIVER}.sql")
    sessions = Sessions.watched()
    with connection.cursor() as cursor:
        cursor.execute(compose.SQL("SET search_path TO {}").format(compose.Identifier("no where")))
    assert sessions.heal() == [
        'database default: the session was changed (SET search_path TO "no where") and is replaced'
    ]


@pytest.fixture
def aliases(db, monkeypatch, tmp_path):
    """A project with a second database, and a third whose driver is missing here."""
    second = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "second"}
    handler = ConnectionHandler({"default": second, "second": second, "legacy": {"ENGINE": "no.such.driver"}})
    monkeypatch.setattr(session, "connections", handler)
    monkeypatch.setattr(asked, "connections", handler)
    yield handler
    handler.close_all()


def test_an_alias_that_no_job_touches_is_never_made(aliases):
    assert Sessions.watched().heal() == []
    assert aliases.all(initialized_only=True) == []


def test_a_connection_that_a_job_makes_is_closed_after_it_as_nobody_watched_it(aliases):
    aliases["default"].ensure_connection()
    sessions = Sessions.watched()
    aliases["second"].ensure_connection()
    assert sessions.heal() == []
    assert aliases["default"].connection is not None
    assert aliases["second"].connection is None


def test_a_connection_that_a_job_made_is_watched_the_next_time(aliases):
    aliases["second"].ensure_connection()
    sessions = Sessions.watched()
    with aliases["second"].cursor() as cursor:
        cursor.execute("PRAGMA recursive_triggers = ON")
    (text,) = sessions.heal()
    assert text.startswith("database second: the session was changed (PRAGMA")


@pytest.fixture
def pool(transactional_db, monkeypatch):
    """A project whose sessions come from a pool of one."""
    if connection.vendor != "postgresql" or DRIVER != "psycopg":
        pytest.skip("only psycopg 3 has a pool")
    pytest.importorskip("psycopg_pool")
    options = {**connection.settings_dict["OPTIONS"], "pool": {"min_size": 1, "max_size": 1, "timeout": 5}}
    handler = ConnectionHandler({"default": {**connection.settings_dict, "OPTIONS": options, "CONN_MAX_AGE": 0}})
    monkeypatch.setattr(session, "connections", handler)
    monkeypatch.setattr(asked, "connections", handler)
    yield handler["default"]
    handler["default"].close()
    handler["default"].close_pool()


def search_path(pooled) -> tuple[int, str]:
    with pooled.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), current_setting('search_path')")
        return cursor.fetchone()


def test_a_clean_session_goes_back_into_the_pool_after_a_job(pool):
    before = search_path(pool)
    sessions = Sessions.watched()
    search_path(pool)
    assert sessions.heal() == []
    assert pool.connection is None
    assert search_path(pool) == before


def test_the_threads_of_a_pool_that_a_job_was_the_first_to_use_are_not_left_behind_by_it(pool):
    before = room.snapshot()
    search_path(pool)
    assert asked.pool_threads() == (f"{pool.pool.name}-",)
    assert room.restore(before) == ()


@pytest.mark.parametrize("word", ["SET search_path TO nowhere", "BEGIN; SET search_path TO nowhere"])
def test_no_other_thread_gets_a_session_from_the_pool_that_a_job_changed(pool, word):
    number, path = search_path(pool)
    sessions = Sessions.watched()
    with pool.cursor() as cursor:
        cursor.execute(word)
    assert sessions.heal()
    assert search_path(pool)[0] != number
    assert search_path(pool)[1] == path
