import os
import socket
import tempfile

import pytest

from scheduler_bridge import systemd


def test_nothing_is_sent_where_nobody_listens(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd.notify("READY=1")


@pytest.fixture
def folder():
    """A folder with a short path: the address of a socket has some hundred bytes at most."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield name


@pytest.mark.parametrize("abstract", [False, True])
def test_lines_arrive_as_one_datagram(monkeypatch, folder, abstract):
    name = f"scheduler-bridge-{os.getpid()}" if abstract else f"{folder}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if abstract else name)
        systemd.notify("READY=1", "STATUS=running")
        assert manager.recv(100) == b"READY=1\nSTATUS=running"


@pytest.mark.parametrize("name", ["nobody", "too-long" * 20])
def test_a_manager_that_cannot_be_reached_is_no_error(monkeypatch, folder, name):
    monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/{name}")
    systemd.notify("READY=1")


@pytest.mark.parametrize(
    ("microseconds", "process", "pause"),
    [("30000000", None, 15.0), ("30000000", "mine", 15.0), ("30000000", "another", None), ("", None, None)],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(monkeypatch, microseconds, process, pause):
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if process is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if process == "mine" else "1")
    assert systemd.watchdog_pause() == pause
