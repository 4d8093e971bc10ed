import select
import threading

import pytest
from django.db import InterfaceError, OperationalError, connection

from scheduler_bridge import changes
from scheduler_bridge.changes import Listener
from scheduler_bridge.models import Job, Runner


@pytest.fixture
def committing(transactional_db):
    Runner.objects.get_or_create(pk=Runner.ROW)


def revision() -> int:
    return Runner.objects.get(pk=Runner.ROW).revision


def test_an_announcement_waits_for_the_commit(db, django_capture_on_commit_callbacks):
    Runner.objects.get_or_create(pk=Runner.ROW)
    before = revision()
    with django_capture_on_commit_callbacks(execute=True):
        changes.announce()
        assert revision() == before
    assert revision() == before + 1


def test_the_first_announcement_makes_the_row(transactional_db):
    Runner.objects.all().delete()
    changes.announce()
    assert revision() == 1


def test_a_listener_hears_each_change_once(committing):
    listener = Listener("default")
    listener.changed(0)
    assert not listener.changed(10)
    changes.announce()
    assert listener.changed(20)
    assert not listener.changed(30)


def test_a_listener_misses_nothing_that_happened_between_two_looks(committing):
    listener = Listener("default")
    listener.changed(0)
    for _ in range(3):
        changes.announce()
    assert listener.changed(10)


def test_saving_and_deleting_a_job_is_heard(committing, now):
    listener = Listener("default")
    listener.changed(0)
    job = Job.objects.create(name="demo.x", app="demo", command="x", owed_since=now)
    assert listener.changed(10)
    job.delete()
    assert listener.changed(20)


def test_without_a_signal_the_revision_is_read_once_a_pause(committing, django_assert_num_queries):
    listener = Listener("default")
    listener.changed(0)
    listener.changed(100)
    with django_assert_num_queries(0):
        listener.changed(100 + listener.pause / 2)


def test_a_connection_that_the_server_cut_is_an_outage_like_any_other(committing):
    if connection.vendor != "postgresql":
        pytest.skip("elsewhere the revision is read by Django itself")
    listener = Listener("default")
    listener.changed(0.0)
    listener.changed(0.5)
    connection.connection.close()
    with pytest.raises((OperationalError, InterfaceError)):
        listener.fileno()
    with pytest.raises((OperationalError, InterfaceError)):
        listener.changed(1.0)
    connection.close()
    assert listener.changed(2.0)


def test_where_notifications_arrive_the_revision_is_not_polled(committing, django_assert_num_queries):
    listener = Listener("default")
    listener.changed(0)
    listener.changed(1)
    polls = connection.vendor != "postgresql"
    assert listener.pause == (changes.POLL if polls else changes.QUIET)
    with django_assert_num_queries(1 if polls else 0):
        listener.changed(10)


def test_where_notifications_are_swallowed_the_revision_is_polled(committing, monkeypatch):
    monkeypatch.setattr(Listener, "_heard", lambda self: False)
    listener = Listener("default")
    listener.changed(0)
    listener.changed(1)
    assert listener.pause == changes.POLL
    changes.announce()
    assert listener.changed(2)


def channels() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_listening_channels()")
        return [name for (name,) in cursor.fetchall()]


@pytest.mark.parametrize("is_direct", [True, False])
def test_only_a_session_of_its_own_listens_and_else_the_revision_is_polled(committing, monkeypatch, is_direct):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has NOTIFY")
    connection.close()
    monkeypatch.setattr(changes, "is_direct", lambda using: is_direct)
    listener = Listener("default")
    assert listener.changed(0)
    assert (listener.fileno() is not None) == is_direct
    assert channels() == [changes.CHANNEL] * is_direct
    assert not listener.changed(1)
    assert listener.pause == (changes.QUIET if is_direct else changes.POLL)
    changes.announce()
    assert listener.changed(2)
    connection.close()


def test_a_session_that_may_be_shared_is_asked_once_whether_it_is(committing, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has NOTIFY")
    connection.close()
    asked: list[str] = []
    monkeypatch.setattr(changes, "is_direct", lambda using: asked.append(using))
    listener = Listener("default")
    for moment in range(5):
        listener.changed(moment)
        listener.fileno()
    assert asked == ["default"]
    connection.close()
    assert listener.changed(10)
    assert asked == ["default"] * 2
    connection.close()


def test_a_change_wakes_whoever_waits_for_it(committing):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has NOTIFY")
    listener = Listener("default")
    listener.changed(0)
    listener.changed(1)
    others = threading.Thread(target=lambda: (changes.announce(), connection.close()))
    others.start()
    assert select.select([listener.fileno()], [], [], 20)[0]
    others.join()
    assert listener.changed(2)
    assert not listener.changed(3)


def test_a_change_that_came_along_with_another_answer_is_heard_too(committing):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has NOTIFY")
    listener = Listener("default")
    listener.changed(0)
    assert not listener.changed(1)
    others = threading.Thread(target=lambda: (changes.announce(), connection.close()))
    others.start()
    others.join()
    select.select([listener.fileno()], [], [], 20)
    revision()  # the driver takes in whatever has arrived
    assert not select.select([listener.fileno()], [], [], 0)[0]
    assert listener.is_heard()
    assert listener.changed(2)
    assert not listener.is_heard()
    assert not listener.changed(3)


def test_a_new_session_counts_as_a_change_whoever_saw_it_first(committing):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has NOTIFY")
    listener = Listener("default")
    listener.changed(0)
    assert not listener.changed(1)
    connection.close()
    listener.fileno()
    assert listener.changed(2)


def test_a_revision_that_a_heartbeat_brought_needs_no_statement(committing, django_assert_num_queries):
    listener = Listener("default")
    listener.changed(0)
    listener.tell(revision())
    with django_assert_num_queries(0):
        assert not listener.changed(0.1)
    listener.tell(revision() + 1)
    with django_assert_num_queries(0):
        assert listener.changed(0.2)
