import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from scheduler_bridge.execution import in_process, room
from scheduler_bridge.execution.output import Capture
from scheduler_bridge.execution.session import Sessions
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
    found = spoil(what)
    assert len(found) == 1, found
    (warning,) = found
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


class Envious:
    """Compares with nothing."""

    def __eq__(self, other):
        raise SystemExit("incomparable")

    __hash__ = None


def refuse(*words):
    raise KeyboardInterrupt("no way back")


@pytest.mark.parametrize("when", ["look", "put back", "compare", "before"])
def test_what_cannot_be_looked_at_or_put_back_keeps_nothing_else_from_it(monkeypatch, db, when):
    looks = iter([refuse, list] if when == "before" else [list, refuse if when == "look" else Envious])
    item = room.Item("the odd thing", lambda: next(looks)(), refuse if when == "put back" else lambda value: None)
    monkeypatch.setattr(room, "ITEMS", (item, *room.ITEMS))
    before, here = room.snapshot(), os.getcwd()
    os.chdir("/")
    found = room.restore(before)
    assert os.getcwd() == here
    assert "the working directory was changed and is put back" in found
    said = {
        "before": set(),
        "put back": {"the odd thing was changed and cannot be put back: KeyboardInterrupt: no way back"},
    }.get(when, {"the odd thing was changed and is put back"})
    assert {text for text in found if "odd" in text} == said


def test_connections_that_cannot_be_looked_after_are_replaced(monkeypatch, db):
    before, begun = room.snapshot(), SimpleNamespace(alias="default")
    replaced: list[str] = []
    held = type(
        "Held", (), {"all": lambda *_, **__: [begun], "__delitem__": lambda self, alias: replaced.append(alias)}
    )
    with monkeypatch.context() as patch:
        patch.setattr(room, "connections", held())
        patch.setattr(Sessions, "heal", refuse)
        (said,) = room.restore(before)
    before.sessions.heal()
    assert replaced == ["default"]
    assert said == "the database connections were left in disorder and are replaced: KeyboardInterrupt: no way back"


def test_connections_that_cannot_be_watched_keep_no_job_from_running(monkeypatch, caplog):
    monkeypatch.setattr(Sessions, "watched", refuse)
    monkeypatch.setattr(Sessions, "heal", lambda sessions: [])
    assert room.restore(room.snapshot()) == ()
    assert "the database connections cannot be watched: KeyboardInterrupt: no way back" in caplog.text


def test_a_thread_that_cannot_be_named_is_counted(db):
    class Nameless(threading.Thread):
        name = property(lambda self: 1 / 0, lambda self, value: None)

    before, go_on = room.snapshot(), threading.Event()
    thread = Nameless(target=go_on.wait)
    thread.start()
    try:
        assert room.restore(before) == ("threads go on: 1",)
    finally:
        go_on.set()
        thread.join()
