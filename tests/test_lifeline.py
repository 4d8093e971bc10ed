import os

import pytest

from scheduler_bridge.execution import lifeline
from scheduler_bridge.execution.lifeline import Lifeline


@pytest.fixture
def ends():
    reader, writer = os.pipe()
    yield Lifeline(reader, 10.0), writer
    os.close(reader)


def test_what_arrives_lets_the_run_go_on_for_longer(ends):
    line, writer = ends
    os.write(writer, lifeline.until(20.5) + lifeline.until(31.25))
    assert (line.read(), line.until) == ("", 31.25)
    os.close(writer)


def test_a_word_that_arrives_in_two_pieces_counts_when_it_is_whole(ends):
    line, writer = ends
    words = lifeline.until(20.5)
    os.write(writer, words[:8])
    assert (line.read(), line.until) == ("", 10.0)
    os.write(writer, words[8:])
    assert (line.read(), line.until) == ("", 20.5)
    os.close(writer)


def test_the_wish_to_end_is_heard_behind_other_words(ends):
    line, writer = ends
    os.write(writer, lifeline.until(20.5) + lifeline.STOP)
    assert line.read() == "stopped"
    os.close(writer)


def test_an_end_of_the_pipe_is_the_end_of_the_one_who_held_it(ends):
    line, writer = ends
    os.close(writer)
    assert line.read() == "orphaned"
