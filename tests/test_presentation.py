from datetime import timedelta

import pytest

from scheduler_bridge.admin.presentation import near, plain, span


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
