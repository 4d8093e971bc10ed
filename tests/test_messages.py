from datetime import UTC, datetime

import pytest

from scheduler_bridge import messages
from scheduler_bridge.history import Away
from scheduler_bridge.messages import Messages
from scheduler_bridge.models import Cause, Status


def away(tries: int, *, to_come: bool = False) -> Away:
    return Away(
        run_id=5,
        job_id=1,
        name="demo.specimen",
        cause=Cause.SCHEDULE,
        fire_time=datetime(2026, 3, 10, tzinfo=UTC),
        status=Status.QUEUED,
        reason="",
        queue="reports",
        tries=tries,
        owes_mail=False,
        to_come=to_come,
    )


def test_a_reading_is_out_of_date_once_the_run_was_handed_over_since():
    sent = Messages()
    assert (sent.has(5), sent.is_out_of_date(away(0))) == (False, False)
    sent.tried(5, 0, taken=True)
    assert (sent.has(5), sent.is_out_of_date(away(0)), sent.is_out_of_date(away(1))) == (True, True, False)
    sent.forget(5)
    assert (sent.has(5), sent.is_out_of_date(away(0))) == (False, False)


@pytest.mark.parametrize(
    ("taken", "to_come", "is_on_its_way"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_message_is_on_its_way_when_the_engine_took_it_and_workers_are_about_to_come_to_it(
    taken, to_come, is_on_its_way
):
    sent = Messages()
    sent.tried(5, 0, taken=taken)
    assert sent.is_on_its_way(away(1, to_come=to_come)) is is_on_its_way


def test_only_so_many_are_remembered(monkeypatch):
    monkeypatch.setattr(messages, "REMEMBERED", 1)
    sent = Messages()
    for number in (4, 5):
        sent.tried(number, 0, taken=False)
    assert [sent.has(number) for number in (4, 5)] == [False, True]
