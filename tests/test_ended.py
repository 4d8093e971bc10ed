import time

import pytest

from scheduler_bridge.execution import ended


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("", []),
        ("printed", []),
        ("printed\n", ["12 sleep 5"]),
        ("printed", ["12 sleep 5", "13 sh -c [x]"]),
        ("[ended: a line of the job]\nand more", ["12 sleep"]),
        ("", ["12 sleep"]),
    ],
)
def test_what_was_written_behind_an_output_is_parted_from_it_again(output, names):
    assert ended.split(output + ended.lines(names).decode()) == (output, tuple(names))


def test_an_output_that_only_looks_like_it_is_left_alone():
    for output in ("[ended: 12 sleep]", "x\n[ended: 12 sleep", "x\n[ended: 12 sleep]\n"):
        assert ended.split(output) == (output, ())


def test_many_such_lines_take_no_time():
    begun = time.thread_time()
    ended.split("\n[ended: x]" * 100_000 + "\nz")
    ended.split("\n[ended: x]" * 100_000)
    assert time.thread_time() - begun < 1
