from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError

from scheduler_bridge import connection, history, notifications
from scheduler_bridge.reporter import LONGEST_PAUSE, RETRY_PAUSE, Reporter


@pytest.mark.parametrize(("minutes", "pause"), [(None, LONGEST_PAUSE), (1, 60), (30, LONGEST_PAUSE), (-1, 0)])
def test_the_next_look_for_mails_is_when_one_is_due_again(monkeypatch, minutes, pause):
    due_at = None if minutes is None else datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr(notifications, "send_due", lambda now: 0)
    monkeypatch.setattr(history, "next_report_at", lambda: due_at)
    assert Reporter(pytest.fail).send() == pytest.approx(pause, abs=5)


def test_mails_wait_for_the_database(monkeypatch):
    def fail(now: datetime) -> int:
        raise OperationalError("gone")

    dropped: list[str] = []
    monkeypatch.setattr(notifications, "send_due", fail)
    monkeypatch.setattr(connection, "drop", dropped.append)
    assert Reporter(pytest.fail).send() == RETRY_PAUSE
    assert dropped == ["default", "default"]


def test_a_connection_that_is_broken_is_replaced_at_once(monkeypatch):
    tries: list[int] = []

    def send(now: datetime) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("server closed the connection")

    monkeypatch.setattr(notifications, "send_due", send)
    monkeypatch.setattr(connection, "drop", lambda alias: None)
    monkeypatch.setattr(history, "next_report_at", lambda: None)
    assert Reporter(pytest.fail).send() == LONGEST_PAUSE
    assert len(tries) == 2


def test_a_reporter_that_is_told_to_end_looks_once_more(monkeypatch):
    looks: list[int] = []
    reporter = Reporter(pytest.fail)
    monkeypatch.setattr(reporter, "send", lambda: looks.append(1) or LONGEST_PAUSE)
    reporter.start()
    while not looks:
        reporter.join(0.01)
    reporter.stop()
    reporter.join(10)
    assert (reporter.is_alive(), len(looks)) == (False, 2)


def test_an_error_that_no_outage_explains_is_handed_on(monkeypatch):
    def fail(now: datetime) -> int:
        raise ZeroDivisionError

    told: list[BaseException] = []
    monkeypatch.setattr(notifications, "send_due", fail)
    reporter = Reporter(told.append)
    reporter.look()
    reporter.start()
    reporter.join(10)
    assert [type(error) for error in told] == [ZeroDivisionError]
