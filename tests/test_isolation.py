import sys
import threading
from contextlib import suppress
from io import StringIO

import pytest
from django.db import OperationalError, connection, connections, transaction

from scheduler_bridge.isolation import isolated


class Stop(BaseException):
    """What nobody catches by accident."""


def other_thread(step):
    """Return what a step gives in another thread."""
    found = []
    thread = threading.Thread(target=lambda: found.append(step()))
    thread.start()
    thread.join()
    return found


@pytest.mark.django_db
def test_a_statement_is_refused_and_the_database_that_was_asked_is_known():
    with isolated() as isolation:
        assert isolation.asked == ""
        with pytest.raises(OperationalError, match="database default is not asked"):
            connection.cursor()
    assert isolation.asked == "default"
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_what_a_connection_is_may_be_asked():
    vendor, name = connection.vendor, connection.settings_dict["NAME"]
    with isolated() as isolation:
        assert (connection.vendor, connection.settings_dict["NAME"]) == (vendor, name)
        assert list(connections)
    assert isolation.asked == ""


@pytest.mark.django_db
@pytest.mark.parametrize("way", ["cursor", "chunked_cursor", "connect", "ensure_connection"])
def test_a_connection_that_a_module_kept_is_closed_too(way):
    kept = connections["default"]
    with isolated() as isolation, pytest.raises(OperationalError):
        getattr(kept, way)()
    assert isolation.asked == "default"
    assert kept is connections["default"]
    assert way not in vars(kept)


@pytest.mark.django_db(transaction=True)
def test_a_refused_statement_leaves_the_transaction_around_it_as_it_was():
    with transaction.atomic():
        with isolated(), suppress(OperationalError), transaction.atomic():
            connection.cursor()
        assert connection.in_atomic_block
        assert not connection.needs_rollback
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def test_a_driver_that_cannot_be_loaded_is_left_alone(monkeypatch):
    values = {**connections.settings["default"], "ENGINE": "shop.no_such_driver"}
    monkeypatch.setitem(connections.settings, "archive", values)
    with isolated() as isolation:
        assert "archive" in list(connections)
    assert isolation.asked == ""
    assert "archive" not in {found.alias for found in connections.all(initialized_only=True)}


def test_other_threads_keep_their_databases_and_their_console(capsys):
    with isolated():
        print("from the code that is looked at")
        other_thread(lambda: print("from another thread"))
        (vendor,) = other_thread(lambda: type(connections["default"]).__module__)
    assert capsys.readouterr().out == "from another thread\n"
    assert vendor == connections.settings["default"]["ENGINE"] + ".base"


@pytest.mark.parametrize("error", [None, ValueError(), SystemExit(), Stop(), KeyboardInterrupt()])
def test_everything_is_put_back_whatever_happens(error):
    before = (sys.stdout, sys.stderr, {alias: connections[alias] for alias in connections})
    with suppress(BaseException), isolated():
        sys.stdout = StringIO()
        del connections["default"]
        if error:
            raise error
    assert before == (sys.stdout, sys.stderr, {alias: connections[alias] for alias in connections})


def test_an_alias_that_nobody_used_is_used_by_nobody_afterwards(monkeypatch):
    monkeypatch.setitem(connections.settings, "archive", dict(connections.settings["default"]))
    with isolated(), suppress(OperationalError):
        connections["archive"].cursor()
    assert "archive" not in {found.alias for found in connections.all(initialized_only=True)}


def test_what_the_code_keeps_works_afterwards(capsys, monkeypatch):
    with isolated():
        stream, kept = sys.stdout, connections["default"]
        assert kept.vendor
    print("later", file=stream)
    assert capsys.readouterr().out == "later\n"
    monkeypatch.setattr(kept.__class__.__mro__[1], "get_new_connection", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        kept.connect()


def test_bytes_and_lines_are_swallowed_too(capsysbinary):
    with isolated():
        sys.stdout.writelines(["one\n", "two\n"])
        sys.stderr.buffer.write(b"three")
        sys.stdout.flush()
    assert capsysbinary.readouterr() == (b"", b"")


def test_a_process_without_a_console_is_looked_at_all_the_same(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with isolated():
        print("to nobody")
        assert other_thread(lambda: print("to nobody either")) == [None]
    assert sys.stdout is None
