import time

import pytest

from scheduler_bridge import difference
from scheduler_bridge.difference import LONGEST, SHOWN, compare

GOOD = "[2026-03-09 12:00:01] 412 orders read\nrequest 7f3a9c01d2 at 0x7fe21c\nMon Mar  9: done in 3.21 s\n"


def test_only_what_is_new_is_given_in_its_order():
    output = "[2026-03-10 12:00:01] 397 orders read\nno till\nno bank\n"
    assert compare(output, GOOD).lines == ("no till", "no bank")


@pytest.mark.parametrize(
    "line",
    [
        "[2026-03-10 23:59:59] 1 orders read",
        "request 0e11b2c9ff at 0xdeadbeef",
        "Tue Apr 10: done in 17 s",
        "\x1b[32mTue Apr 10: done\x1b[0m in 17 s  ",
        "",
        "   ",
    ],
)
def test_numbers_times_identifiers_and_colours_make_no_line_new(line):
    assert compare(f"{line}\nno till", GOOD).lines == ("no till",)


def test_a_word_of_letters_is_no_identifier():
    assert compare("request defaced at 0x7fe21c", GOOD).lines == ("request defaced at 0x7fe21c",)


def test_a_line_that_comes_again_and_again_is_given_once():
    assert compare("try 1 failed\ntry 2 failed\ntry 3 failed\n", GOOD).lines == ("try 1 failed",)


def test_nothing_new_gives_nothing():
    assert compare(GOOD, GOOD).lines == ()


@pytest.mark.parametrize(("other", "expected"), [(GOOD, False), ("something else", True), ("", True)])
def test_outputs_that_share_nothing_are_known_as_such(other, expected):
    assert compare(f"{GOOD}\nno till\n", other).is_all == expected


def test_lines_are_given_without_codes_of_terminals():
    assert compare("\x1b[31mno\x1b[0m \x1b]0;title\x07till\x00", GOOD).lines == ("no till",)


def test_of_a_long_output_the_end_is_looked_at():
    output = (
        "first of all\n" + "".join(f"line {'abcdefghij'[n % 10]}{'x' * (n // 10)}\n" for n in range(5000)) + "no till\n"
    )
    found = compare(output, GOOD)
    assert "first of all" not in found.lines
    assert len(found.lines) == SHOWN
    assert found.left_out > 0


def test_a_line_that_is_cut_off_by_the_bound_is_left_out():
    output = "start " + "y" * difference.SIZE + "\nno till"
    assert compare(output, "").lines == ("no till",)


def test_a_very_long_line_is_shortened():
    assert [len(line) for line in compare("z" * 10_000, "").lines] == [LONGEST]


@pytest.mark.parametrize(
    "piece", ["a", "1", "1.", "a1", "f" * 7, "0x", "12345678-1234-", "1,2", "\x1b[", "\x1b]", " ", "mon "]
)
def test_no_output_takes_long(piece):
    output = piece * (1024 * 1024 // len(piece))
    begun = time.thread_time()
    compare(output, output)
    assert time.thread_time() - begun < 5
