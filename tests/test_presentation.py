from datetime import timedelta

import pytest

from scheduler_bridge.admin.presentation import about, clock, near, pill, plain, span, whole
from scheduler_bridge.models import Status


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (5, "today 18:00"),
        (13, "tomorrow 02:00"),
        (-14, "yesterday 23:00"),
        (0.01, "today 13:00:36"),
        (72, "2026-03-13 13:00:00"),
    ],
)
def test_a_moment_that_is_near_is_said_shortly(now, hours, text):
    assert near(now + timedelta(hours=hours), now) == text


def test_terminal_codes_and_control_characters_are_taken_out():
    assert plain("a\x1b]0;title\x07b\x1b[1;31mc\x1b[0m\td\r\ne\x08\x00") == "abc\td\ne"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.42, "0.4 s"), (200, "3 min 20 s"), (3700, "1 h 1 min"), (59.99, "60.0 s")]
)
def test_spans_are_said_in_units_that_fit(seconds, words):
    assert span(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (12.9, "12 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (86400 * 3 + 3600 * 4 + 5, "3 d 4 h")],
)
def test_a_span_that_goes_on_is_said_in_whole_seconds(seconds, text):
    assert whole(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.42, "0.4 s"), (9.9, "9.9 s"), (48.2, "48 s"), (200.7, "3 min 20 s"), (None, "-")]
)
def test_a_span_by_history_is_said_no_more_exactly_than_it_is_known(seconds, text):
    assert about(None if seconds is None else timedelta(seconds=seconds)) == text


def test_a_moment_of_today_is_said_by_its_time_alone(now):  # 13:00 in Stockholm
    assert clock(now, now) == "13:00"
    assert clock(now + timedelta(seconds=5), now) == "13:00:05"
    assert clock(now + timedelta(hours=11), now) == "tomorrow 00:00"
    assert clock(None, now) == "-"


def test_a_status_bears_its_colour():
    assert pill(Status.TIMED_OUT) == '<span class="sb-status sb-timed_out">timed out</span>'
