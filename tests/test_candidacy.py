"""How a process becomes the runner beside one on its machine; others are seen in the acceptance tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psutil
import pytest

from scheduler_bridge import badge, candidacy, connection, identity, lease
from scheduler_bridge.badge import Badge
from scheduler_bridge.candidacy import Bystander, Candidacy
from scheduler_bridge.lease import EXPIRES_AFTER, Identity
from scheduler_bridge.models import Runner, Standby

WEAR = (
    "from scheduler_bridge import badge; badge.show(badge.Badge({!r}, {!r})); print('up'); import time; time.sleep(60)"
)


class Waiting:
    """A candidate whose pauses take no time, and what was seen of it in the meantime."""

    def __init__(self, now: Callable[[float], None]) -> None:
        self.waited, self.machines, self._now = 0.0, [], now
        self.occupied: list[str] = []
        self.waits = True
        self.meanwhile: Callable[[], object] = bool
        self.me = Identity.mine()
        told = Bystander(
            stopping=lambda: self.waited > 60, pause=self._pause, occupied=self._hear, outdated=pytest.fail
        )
        self.candidacy = Candidacy(self.me, told)

    def _hear(self, text: str) -> bool:
        self.occupied.append(text)
        return self.waits

    def _pause(self, seconds: float) -> None:
        self.meanwhile()
        self.waited += seconds
        self._now(self.waited)
        self.machines += Standby.objects.filter(token=self.me.token).values_list("machine", flat=True)


@pytest.fixture
def waiting(db, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(candidacy, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    Runner.objects.update_or_create(pk=Runner.ROW, defaults={"token": ""})
    return Waiting(lambda seconds: clock.__setitem__(0, seconds))


@pytest.fixture
def holding(waiting, now):
    """Let a process on this machine hold the lease that wears a badge for this database, and give it."""
    with ExitStack() as stack:

        def hold(database: str) -> subprocess.Popen[bytes]:
            holder = Identity.mine()
            command = [sys.executable, "-uc", WEAR.format(holder.token, database)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout.readline() == b"up\n"
            started = psutil.Process(process.pid).create_time()
            assert lease.acquire(replace(holder, pid=process.pid, process_started=started), None, now)
            return process

        yield hold


def test_who_takes_the_lease_shows_that_it_serves_this_very_database(waiting):
    assert waiting.candidacy.win()
    assert badge.shown(os.getpid()) == (Badge(waiting.me.token, identity.learn("default")),)
    assert lease.holder().is_proved(identity.known())


def test_a_silent_holder_of_this_very_database_is_killed_and_need_not_end_itself(waiting, holding, caplog):
    process = holding(identity.learn("default"))
    assert waiting.candidacy.win()
    assert process.wait(5) == -signal.SIGKILL
    assert waiting.waited == pytest.approx(EXPIRES_AFTER)
    assert set(waiting.machines) == {waiting.me.machine}
    assert "was killed" in caplog.text
    assert "does not prove" not in caplog.text


def test_a_silent_holder_that_may_serve_a_copy_is_waited_for_as_long_and_must_end_itself(waiting, holding, caplog):
    process = holding("a-copy")
    assert waiting.candidacy.win()
    assert process.poll() is None
    assert waiting.waited == pytest.approx(EXPIRES_AFTER)
    assert set(waiting.machines) == {""}
    assert (
        caplog.text.count(f"process {process.pid} of this machine is the runner by the table, but does not prove") == 1
    )
    assert f"process {process.pid} was the runner by the table and gave no sign of life here; it is" in caplog.text
    assert "was killed" not in caplog.text


def test_a_holder_that_is_gone_is_not_waited_for_whatever_it_served(waiting, holding, caplog):
    process = holding("a-copy")
    process.kill()
    process.wait()
    assert waiting.candidacy.win()
    assert waiting.waited <= candidacy.LOOK_EVERY
    assert "kill" not in caplog.text


def test_of_each_holder_that_comes_meanwhile_it_is_found_out_anew(waiting, holding):
    process = holding("a-copy")

    def change() -> None:
        if not waiting.machines:
            Runner.objects.update(token="")
            holding(identity.learn("default"))

    waiting.meanwhile = change
    assert waiting.candidacy.win()
    assert waiting.machines[0] == ""
    assert set(waiting.machines[1:]) == {waiting.me.machine}
    assert process.poll() is None


def test_one_who_waits_in_a_file_that_was_replaced_looks_at_the_one_that_others_see(waiting, monkeypatch):
    dropped: list[str] = []
    replaced = iter([True, False, False])
    monkeypatch.setattr(identity, "is_replaced", lambda: next(replaced))
    monkeypatch.setattr(connection, "drop", dropped.append)
    assert waiting.candidacy.win()
    assert dropped == ["default"]


ELSEWHERE = Identity(token="other", host="elsewhere", machine="elsewhere", pid=4711, process_started=0.0)


def test_one_who_does_not_wait_goes_where_another_gives_signs(waiting):
    waiting.waits = False
    lease.acquire(ELSEWHERE, None, datetime.now(UTC))
    assert not waiting.candidacy.win()
    assert len(waiting.occupied) == 1


def test_one_who_does_not_wait_is_not_kept_out_for_ever_by_one_that_is_no_more(waiting, now):
    waiting.waits = False
    lease.acquire(ELSEWHERE, None, now)
    assert waiting.candidacy.win()
    assert waiting.waited == pytest.approx(EXPIRES_AFTER)
    assert waiting.occupied == []


def test_a_holder_whose_clock_is_far_behind_is_there_as_soon_as_it_is_heard(waiting, now):
    waiting.waits = False
    lease.acquire(ELSEWHERE, None, now)
    waiting.meanwhile = lambda: lease.renew(ELSEWHERE, now + timedelta(seconds=1), None)
    assert not waiting.candidacy.win()
    assert len(waiting.occupied) == 1
