import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from django.db import connections

from scheduler_bridge import connection, history, live
from scheduler_bridge.live import LiveOutput, unseen

# A job forks while the thread looks: the copy prints all the same, since it was not made before the look was over.
FORKING = """
import os, threading, django
django.setup()
from scheduler_bridge import live
capture, holds, forked = live.Noticed(99, lambda: None), threading.Event(), threading.Event()
def look():
    with live._looking, capture._lock:
        holds.set()
        assert not forked.wait(0.3)
looking = threading.Thread(target=look)
looking.start()
holds.wait()
child = os.fork()
forked.set()
if not child:
    capture.write(b"from the copy")
    os._exit(0 if capture.text() == "from the copy" else 1)
looking.join()
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture
def told(monkeypatch):
    """What was written to the rows of runs."""
    found: list[tuple[int, str]] = []
    monkeypatch.setattr(history, "show_output", lambda run_id, text: found.append((run_id, text)) or True)
    return found


@pytest.fixture
def shown():
    """The thread's work without the thread."""
    return LiveOutput(pytest.fail)


@pytest.fixture
def session(monkeypatch):
    """The worker's connection, on which nothing is done."""
    session = SimpleNamespace(vendor="sqlite", connection=SimpleNamespace(in_transaction=False))
    monkeypatch.setattr(live, "connections", {"default": session})
    return session


def test_what_is_new_is_shown_and_nothing_else(shown, session, told):
    with shown.of(7, 99) as capture:
        shown.show()
        capture.write(b"one\n")
        shown.show()
        shown.show()
        capture.write(b"two\n")
        shown.show()
    capture.write(b"late\n")
    shown.show()
    assert told == [(7, "one\n"), (7, "one\ntwo\n")]


def test_two_runs_that_print_as_much_are_two(shown, session, told):
    for number in (7, 8):
        with shown.of(number, 99) as capture:
            capture.write(b"same\n")
            shown.show()
    assert told == [(7, "same\n"), (8, "same\n")]


def test_a_job_that_has_locked_the_one_file_is_left_alone_until_its_transaction_ends(shown, session, told):
    session.connection.in_transaction = True
    with shown.of(7, 99) as capture:
        capture.write(b"one\n")
        shown.show()
        assert told == []
        session.connection.in_transaction = False
        shown.show()
    assert told == [(7, "one\n")]


@pytest.mark.parametrize(
    ("vendor", "is_open"),
    [("postgresql", True), ("mysql", True), ("sqlite", False)],
    ids=["postgres", "mysql", "closed"],
)
def test_another_transaction_is_in_nobodys_way(shown, session, told, vendor, is_open):
    session.vendor = vendor
    session.connection = SimpleNamespace(in_transaction=True) if is_open else None
    with shown.of(7, 99) as capture:
        capture.write(b"one\n")
        shown.show()
    assert told == [(7, "one\n")]


def test_what_could_not_be_written_is_tried_again_on_a_new_connection(shown, session, monkeypatch):
    answers, dropped = [False, True], []
    monkeypatch.setattr(history, "show_output", lambda run_id, text: answers.pop(0))
    monkeypatch.setattr(connection, "drop", dropped.append)
    with shown.of(7, 99) as capture:
        capture.write(b"one\n")
        for _ in range(3):
            shown.show()
    assert (answers, dropped) == ([], ["default"])


def test_the_thread_sleeps_until_something_is_printed_and_follows_the_run_to_its_end(told, monkeypatch):
    monkeypatch.setattr(live, "SHOW_EVERY", 0.01)
    rested = threading.Event()
    monkeypatch.setattr(connection, "drop", lambda alias: rested.set())
    thread = LiveOutput(pytest.fail)
    thread.start()
    with thread.of(7, 99) as capture:
        assert not thread._wanted.is_set()
        capture.write(b"one\n")
        wait_for(lambda: told)
    assert rested.wait(10)
    thread.stop()
    thread.join(10)
    assert (told, thread.is_alive()) == ([(7, "one\n")], False)


def wait_for(condition) -> None:
    pause = threading.Event()
    assert any(condition() or pause.wait(0.01) for _ in range(1000))


def test_a_thread_that_cannot_go_on_says_so(monkeypatch):
    def fail() -> None:
        raise ZeroDivisionError

    failures: list[BaseException] = []
    thread = LiveOutput(failures.append)
    monkeypatch.setattr(thread, "_follow", fail)
    thread._wanted.set()
    thread.start()  # what it does to its connection stays with it
    thread.join(10)
    assert [type(error) for error in failures] == [ZeroDivisionError]


def test_a_capture_that_nobody_looks_at_takes_in_the_same():
    with unseen(7, 99) as capture:
        capture.write(b"one\n")
    assert capture.text() == "one\n"


@pytest.mark.django_db
def test_the_real_connection_of_a_thread_tells_of_its_transaction(shown):
    with shown.of(7, 99):
        inside = shown._inside
    wanted = connections["default"].vendor == "sqlite"  # the test's own transaction
    assert inside.has_the_file() == wanted


def test_a_copy_that_a_job_makes_of_the_process_can_print():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING]
    subprocess.run(command, check=True, timeout=60)
