import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, connections
from django.db.backends.signals import connection_created

from scheduler_bridge import connection

LOOK = {
    "sqlite": ("PRAGMA busy_timeout", 1000, 30_000),
    "postgresql": ("SHOW lock_timeout", "1s", "0"),
    "mysql": ("SELECT @@innodb_lock_wait_timeout", 1, 50),
}


@pytest.fixture
def prepared():
    connection.prepare_all()
    yield
    connection_created.disconnect(dispatch_uid="scheduler_bridge.connection")


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


def first(statement: str) -> Any:
    with connections["default"].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


@pytest.mark.parametrize("impatient", [True, False])
def test_an_impatient_thread_waits_a_second_for_a_lock_and_others_as_before(transactional_db, prepared, impatient):
    statement, short, usual = LOOK[connections["default"].vendor]
    steps = [connection.be_impatient] if impatient else []
    assert in_a_thread(*steps, lambda: first(statement))[-1] == (short if impatient else usual)


def test_a_new_connection_of_the_thread_is_impatient_again(transactional_db, prepared):
    statement, short, _ = LOOK[connections["default"].vendor]
    given = in_a_thread(connection.be_impatient, lambda: first(statement), close_for_good, lambda: first(statement))
    assert given == [None, short, None, short]


def test_a_server_is_asked_to_watch_for_clients_that_died(transactional_db, prepared):
    if connections["default"].vendor != "postgresql":
        pytest.skip("only PostgreSQL looks whether its client is there")
    assert in_a_thread(lambda: first("SHOW client_connection_check_interval")) == ["1s"]


def test_a_connection_that_refuses_to_close_is_dropped_all_the_same(monkeypatch):
    def refuse() -> None:
        raise InterfaceError("closed already")

    monkeypatch.setattr(connections["default"], "close", refuse)
    connection.drop("default")


def test_a_server_that_knows_no_such_setting_is_used_all_the_same(transactional_db, prepared, monkeypatch):
    vendor = connections["default"].vendor
    monkeypatch.setitem(connection.WATCHFUL, vendor, "SET no_such_setting_here = 1")
    assert in_a_thread(lambda: first("SELECT 1")) == [1]
