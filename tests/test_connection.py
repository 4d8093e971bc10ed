import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, connections, transaction
from django.db.backends.signals import connection_created
from django.db.models import F
from django.db.utils import ConnectionHandler

from scheduler_bridge import connection
from scheduler_bridge.models import Runner

# What a statement of the thread is told, shortened and as usual.
LOOK = {
    "sqlite": ("PRAGMA busy_timeout", 1000, 30_000),
    "postgresql": ("SELECT current_setting('lock_timeout')", "1s", "0"),
    "mysql": ("SELECT @@innodb_lock_wait_timeout", 1, 50),
}
WATCHED = "SELECT current_setting('client_connection_check_interval')"


@pytest.fixture
def prepared():
    connection.prepare_all()
    yield
    connection_created.disconnect(dispatch_uid="scheduler_bridge.connection")


@pytest.fixture
def pooled(transactional_db, monkeypatch):
    """A project whose sessions come from a pool of one."""
    if connections["default"].vendor != "postgresql":
        pytest.skip("only PostgreSQL has a pool in Django")
    pytest.importorskip("psycopg")
    pytest.importorskip("psycopg_pool")
    settings = connections["default"].settings_dict
    options = {**settings["OPTIONS"], "pool": {"min_size": 1, "max_size": 1, "timeout": 5}}
    handler = ConnectionHandler({"default": {**settings, "OPTIONS": options, "CONN_MAX_AGE": 0}})
    monkeypatch.setattr(connection, "connections", handler)
    yield handler
    handler["default"].close()
    handler["default"].settings_dict = handler.settings["default"]
    handler["default"].close_pool()


def close_for_good() -> None:
    """Close this thread's connection; Django itself keeps one to SQLite in memory open."""
    raw, connections["default"].connection = connections["default"].connection, None
    if raw is not None:
        raw.close()


def in_a_thread(*steps: Callable[[], Any]) -> list[Any]:
    """Take the steps in a thread, which has a connection of its own."""
    given: list[Any] = []

    def take() -> None:
        given.extend(step() for step in steps)
        close_for_good()

    thread = threading.Thread(target=take)
    thread.start()
    thread.join(20)
    return given


def be_impatient() -> None:
    connection.be_impatient("default")


def first(statement: str, handler: Any = connections) -> Any:
    with handler["default"].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def of_the_session(statement: str) -> Any:
    """Ask past Django, as whoever gets the session next does."""
    with connections["default"].wrap_database_errors:
        cursor = connections["default"].connection.cursor()
        cursor.execute(statement)
        return cursor.fetchone()[0]


@pytest.mark.parametrize("impatient", [True, False])
def test_an_impatient_thread_waits_a_second_for_a_lock_and_others_as_before(transactional_db, prepared, impatient):
    statement, short, usual = LOOK[connections["default"].vendor]
    steps = [be_impatient] if impatient else []
    assert in_a_thread(*steps, lambda: first(statement))[-1] == (short if impatient else usual)


def test_a_new_connection_of_the_thread_is_impatient_again(transactional_db, prepared):
    statement, short, _ = LOOK[connections["default"].vendor]
    given = in_a_thread(be_impatient, lambda: first(statement), close_for_good, lambda: first(statement))
    assert given == [None, short, None, short]


def test_impatience_is_over_with_each_statement_and_each_transaction(transactional_db, prepared):
    statement, short, usual = LOOK[connections["default"].vendor]
    if connections["default"].vendor == "sqlite":
        pytest.skip("nobody else gets the session of a file")

    def inside() -> tuple[Any, Any]:
        with transaction.atomic():
            Runner.objects.update(revision=F("revision"))
            found = first(statement)
        return found, of_the_session(statement)

    given = in_a_thread(be_impatient, lambda: first(statement), lambda: of_the_session(statement), inside)
    assert given == [None, short, usual, (short, usual)]


def test_an_impatient_thread_gives_up_a_row_that_somebody_else_holds(transactional_db, prepared):
    if connections["default"].vendor == "sqlite":
        pytest.skip("a file in memory has no rows to lock")
    Runner.objects.get_or_create(pk=Runner.ROW)

    def tried() -> tuple[str, float]:
        begun = time.monotonic()
        try:
            Runner.objects.update(revision=F("revision") + 1)
        except DatabaseError as error:
            return str(error), time.monotonic() - begun
        return "written", 0.0

    with transaction.atomic():
        Runner.objects.select_for_update().get(pk=Runner.ROW)
        ((said, seconds),) = in_a_thread(be_impatient, tried)[1:]
    assert "lock" in said.lower()
    assert 0.9 < seconds < 10


def statements() -> list[Any]:
    """Execute something of each kind, and give what came of it."""
    Runner.objects.all().delete()
    made = Runner.objects.get_or_create(pk=Runner.ROW)[1]
    with transaction.atomic():
        kept = list(Runner.objects.select_for_update().values_list("pk", "revision"))
        with transaction.atomic():
            Runner.objects.update(revision=7)
            transaction.set_rollback(True)
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT '100%' AS share")
        plain = cursor.fetchall(), [column[0] for column in cursor.description]
        cursor.execute("SELECT %s, '%%' UNION ALL SELECT 2, 'x' ORDER BY 1", [1])
        united = list(cursor.fetchall())
        cursor.executemany("UPDATE scheduler_bridge_runner SET revision = revision + %s", [(1,), (2,)])
    met = Runner.objects.filter(revision=3).update(revision=4)
    gone = Runner.objects.filter(pk=-1).update(revision=1)
    return [made, kept, plain, united, met, gone, Runner.objects.get().revision]


def test_every_kind_of_statement_gives_to_an_impatient_thread_what_it_gives_to_others(transactional_db, prepared):
    expected = [True, [(Runner.ROW, 0)], ([("100%",)], ["share"]), [(1, "%"), (2, "x")], 1, 0, 4]
    assert [_comparable(one) for one in in_a_thread(statements)[0]] == expected
    assert [_comparable(one) for one in in_a_thread(be_impatient, statements)[1]] == expected


def _comparable(value: Any) -> Any:
    if isinstance(value, tuple) and isinstance(value[0], (tuple, list)):  # MySQL gives its rows in a tuple
        return [tuple(row) for row in value[0]], value[1]
    return value


def test_a_server_is_asked_to_watch_for_clients_that_died(transactional_db, prepared):
    if connections["default"].vendor != "postgresql":
        pytest.skip("only PostgreSQL looks whether its client is there")
    assert in_a_thread(lambda: first(WATCHED)) == ["1s"]


def test_a_session_of_a_pooler_is_left_as_it_is(transactional_db, prepared, monkeypatch):
    if connections["default"].vendor != "postgresql":
        pytest.skip("only PostgreSQL says which process of the server it is")
    monkeypatch.setattr(connection, "_greeter", lambda connection: 1)
    assert in_a_thread(lambda: connection.is_direct("default"), lambda: first(WATCHED)) == [False, "0"]


def test_only_a_session_of_our_own_is_direct(transactional_db):
    is_known = connections["default"].vendor == "postgresql"
    assert in_a_thread(lambda: connection.is_direct("default")) == [is_known]


def test_a_thread_of_the_runner_leaves_the_pool_to_the_project(pooled, prepared):
    assert connection.is_pooled(pooled["default"])
    shared = pooled.settings["default"]["OPTIONS"]["pool"]
    first("SELECT 1", pooled)
    connection.be_own("default")
    assert not connection.is_pooled(pooled["default"])
    assert first(WATCHED, pooled) == "1s"
    assert connection.is_direct("default")
    assert pooled.settings["default"]["OPTIONS"]["pool"] == shared


def test_a_session_of_a_pool_is_left_as_it_is(pooled, prepared):
    assert first(WATCHED, pooled) == "0"
    assert not connection.is_direct("default")


def test_a_pool_does_not_get_back_a_session_that_was_dropped(pooled):
    before = first("SELECT pg_backend_pid()", pooled)
    first("SELECT set_config('search_path', 'nowhere', false)", pooled)
    connection.drop("default")
    assert first("SELECT current_setting('search_path')", pooled) != "nowhere"
    assert first("SELECT pg_backend_pid()", pooled) != before


def test_a_connection_that_refuses_to_close_is_dropped_all_the_same(monkeypatch):
    def refuse() -> None:
        raise InterfaceError("closed already")

    monkeypatch.setattr(connections["default"], "close", refuse)
    connection.drop("default")


def test_a_server_that_knows_no_such_setting_is_used_all_the_same(transactional_db, prepared, monkeypatch):
    monkeypatch.setattr(connection, "WATCHFUL", "SELECT set_config('no_such_setting_here', %s::text, false)")
    assert in_a_thread(lambda: first("SELECT 1")) == [1]
