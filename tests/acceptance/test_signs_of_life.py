"""A runner that looks alive is alive: what systemd hears of it, and what becomes of one of which a part is dead."""

import contextlib
import re
import socket
import tempfile
import time
from collections.abc import Iterator

import pytest

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]


@pytest.fixture
def manager(site) -> Iterator[socket.socket]:
    """Listen as systemd does, and ask for a sign of life every two seconds."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{folder}/notify")
        manager.settimeout(20)
        site.env |= {"NOTIFY_SOCKET": f"{folder}/notify", "WATCHDOG_USEC": "2000000"}
        yield manager


def heard(manager: socket.socket, line: str) -> list[str]:
    """Listen until this line comes, and give all that came."""
    lines: list[str] = []
    while line not in lines:
        lines += manager.recv(4096).decode().splitlines()
    return lines


def said_meanwhile(manager: socket.socket) -> list[str]:
    """Give what came since somebody listened last."""
    lines: list[str] = []
    manager.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            lines += manager.recv(4096).decode().splitlines()
    return lines


def test_systemd_hears_when_it_is_ready_what_it_runs_that_it_lives_and_that_it_stops(site, manager):
    site.jobs = ("tick",)
    runner = site.start()
    heard(manager, "READY=1")
    heard(manager, "STATUS=running tests.acceptance.site.tick")
    begun = time.monotonic()
    for _ in range(5):
        heard(manager, "WATCHDOG=1")
    assert time.monotonic() - begun < 10
    assert site.stop(runner) == 0
    heard(manager, "STOPPING=1")


def test_systemd_hears_that_a_standby_is_ready_and_for_whom_it_waits(site, manager):
    first = site.start()
    heard(manager, "READY=1")
    second = site.start()
    text = "\n".join([*heard(manager, "READY=1"), manager.recv(4096).decode()])
    assert re.search(rf"STATUS=standby: .* process {first.pid} is the runner since", text)
    assert (site.stop(second), site.stop(first)) == (0, 0)


@pytest.mark.parametrize("part", ["loop", "worker", "control", "reports"])
def test_a_runner_of_which_a_part_is_dead_ends_at_once(site, part):
    site.jobs, site.env["SITE_FAILURE"] = ("tick",), part
    runner = site.start()
    assert runner.wait(30) == 70
    assert f"the runner ends: the {part} died" in site.log()


def test_a_loop_that_hangs_gives_no_sign_of_life_and_ends_the_process(site, manager):
    site.env["SITE_FAILURE"] = "hang"
    runner = site.start()
    heard(manager, "READY=1")
    begun = time.monotonic()
    assert runner.wait(30) == 70
    assert time.monotonic() - begun < 15
    assert said_meanwhile(manager).count("WATCHDOG=1") <= 4
    assert "the loop has not turned since" in site.log()
