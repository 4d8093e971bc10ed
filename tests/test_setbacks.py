"""When a firing that cannot be recorded is tried again, and how often that is said."""

import pytest
from django.db import IntegrityError

from scheduler_bridge.run import NotRecorded
from scheduler_bridge.setbacks import FORGOTTEN, LONGEST_PAUSE, Setbacks

NAME = "shop.fetch"


@pytest.fixture
def pauses():
    return []


@pytest.fixture
def setbacks(pauses):
    return Setbacks(pauses.append)


def refusal() -> NotRecorded:
    error = NotRecorded()
    error.__cause__ = IntegrityError("some other key")
    return error


def test_the_pause_grows_up_to_a_minute(setbacks, pauses, now):
    moment = 100.0
    for _ in range(9):
        setbacks.met(NAME, now, refusal(), moment)
        moment += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


def test_it_is_said_once_for_each_pause_what_cannot_be_recorded_and_why(setbacks, pauses, now, caplog):
    for moment in (0.0, 0.2, 0.9, 1.0, 2.5):
        setbacks.met(NAME, now, refusal(), moment)
    assert pauses == [1, 2]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith(f"job {NAME} (due 2026-03-10T")
    assert said[0].endswith("tried again in 1 s: the database refuses a statement: IntegrityError: some other key")


def test_each_job_has_its_own(setbacks, pauses, now):
    setbacks.met(NAME, now, refusal(), 0.0)
    setbacks.met("shop.other", now, refusal(), 0.5)
    assert pauses == [1, 1]


def test_one_that_was_recorded_begins_anew(setbacks, pauses, now, caplog):
    caplog.set_level("INFO", "scheduler_bridge")
    setbacks.met(NAME, now, refusal(), 0.0)
    setbacks.over("shop.other")
    setbacks.over(NAME)
    setbacks.met(NAME, now, refusal(), 0.5)
    assert pauses == [1, 1]
    assert [text for text in caplog.messages if "recorded again" in text] == [f"job {NAME} is recorded again"]


def test_one_that_was_not_met_for_long_begins_anew(setbacks, pauses, now):
    setbacks.met(NAME, now, refusal(), 0.0)
    setbacks.met(NAME, now, refusal(), 1.1 + FORGOTTEN)
    assert pauses == [1, 1]
