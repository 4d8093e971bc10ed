import os
from dataclasses import replace

import pytest

from scheduler_bridge.execution import in_process, room
from scheduler_bridge.execution.output import Capture
from scheduler_bridge.models import Status


def spoil(what: str) -> tuple[str, ...]:
    before = room.snapshot()
    outcome = in_process.run("probe_spoil", "tests.demo", [what], Capture(10_000))
    warnings = room.restore(before)
    assert outcome.status == Status.SUCCEEDED, outcome.output
    return warnings


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("directory", "working directory"),
        ("nowhere", "working directory"),
        ("environment", "environment"),
        ("umask", "umask"),
        ("argv", "sys.argv"),
        ("path", "sys.path"),
        ("stdout", "sys.stdout"),
        ("descriptor", "descriptor of the console"),
        ("filters", "warning filters"),
        ("logging", "logging"),
        ("silence", "logging"),
        ("level", "logging"),
        ("alarm", "alarm clock"),
        ("language", "language"),
        ("zone", "time zone"),
        ("decimal", "decimal context"),
        ("recursion", "recursion limit"),
        ("timeout", "socket timeout"),
    ],
)
def test_what_a_job_leaves_is_put_back_and_named(what, word):
    before = [item.look() for item in room.ITEMS]
    (warning,) = spoil(what)
    assert word in warning
    for item, value in zip(room.ITEMS, before, strict=True):
        assert room._same(item.look(), value), item.name


def test_a_clean_room_is_left_as_it_is(db):
    assert room.restore(room.snapshot()) == ()


def test_a_directory_that_is_gone_stops_nobody(monkeypatch, tmp_path, db):
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path / "release")
    before = room.snapshot()
    (tmp_path / "release").rmdir()
    assert "working directory" in room.restore(before)[0]
    assert room.restore(room.snapshot()) == ()


def test_a_forked_copy_that_comes_back_is_ended(monkeypatch):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    before = room.snapshot()
    room.restore(replace(before, pid=-1))
    assert codes == [0]
