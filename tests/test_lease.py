import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest

from scheduler_bridge import lease
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.lease import EXPIRES_AFTER, Holder, Identity, Watch

DATABASE = "this-very-one"


def test_nobody_holds_the_lease_before_it_is_acquired(db):
    assert lease.holder() is None


def test_the_holder_names_this_process(me, now):
    holder = lease.holder()
    assert (holder.token, holder.host, holder.pid, holder.since) == (me.token, socket.gethostname(), os.getpid(), now)


def test_only_one_of_two_acquires_a_free_lease(me, now):
    assert not lease.acquire(Identity.mine(), None, now)
    assert lease.holder().token == me.token


def test_a_renewed_lease_is_not_taken_by_one_who_saw_the_heartbeat_before(me, now):
    before = lease.holder()
    lease.renew(me, now + timedelta(seconds=1), None)
    assert not lease.acquire(Identity.mine(), before, now + timedelta(seconds=20))


def test_an_expired_lease_is_taken_and_its_former_holder_notices(me, now):
    other = Identity.mine()
    assert lease.acquire(other, lease.holder(), now)
    with pytest.raises(LeaseLost):
        lease.renew(me, now, None)
    with pytest.raises(LeaseLost):
        lease.confirm(me)
    lease.release(me)
    assert lease.holder().token == other.token


def test_a_released_lease_is_free_at_once(me, now):
    lease.release(me)
    assert lease.holder() is None
    assert lease.acquire(Identity.mine(), None, now)


def test_a_heartbeat_makes_a_holder_alive_for_a_while_only(me, now):
    lease.renew(me, now, now)
    holder = lease.holder()
    assert holder.is_alive(now + timedelta(seconds=14))
    assert not holder.is_alive(now + timedelta(seconds=16))
    assert holder.loop_at == now


def test_a_watch_waits_for_a_heartbeat_that_stands_still(me):
    watch, holder = Watch(), replace(lease.holder(), machine="elsewhere")
    assert not watch.expired(holder, 100)
    assert not watch.expired(holder, 100 + EXPIRES_AFTER - 1)
    assert watch.expired(holder, 100 + EXPIRES_AFTER)


def test_each_heartbeat_starts_the_watch_anew(me, now):
    watch, holder = Watch(), replace(lease.holder(), machine="elsewhere")
    watch.expired(holder, 100)
    beaten = replace(holder, heartbeat_at=now + timedelta(seconds=4))
    assert not watch.expired(beaten, 100 + EXPIRES_AFTER)


def test_a_dead_process_of_this_machine_is_known_to_be_gone_at_once(me):
    holder = lease.holder()
    assert not holder.is_gone()
    assert replace(holder, pid=2**22 + 1).is_gone()
    assert replace(holder, process_started=holder.process_started - 100).is_gone()


@pytest.fixture
def standing(me):
    """Start a process that wears a badge and is stopped, and would go on one day; give it as the holder."""
    with ExitStack() as stack:

        def start(token: str = me.token, database: str = DATABASE) -> Holder:
            code = f"from scheduler_bridge import badge; badge.show(badge.Badge({token!r}, {database!r})); print('up')"
            command = [sys.executable, "-uc", f"{code}; import time; time.sleep(60)"]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout.readline() == b"up\n"
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            started = psutil.Process(process.pid).create_time()
            return replace(lease.holder(), pid=process.pid, process_started=started)

        yield start


@pytest.fixture
def frozen(standing):
    return standing()


def lives(holder: Holder) -> bool:
    return psutil.Process(holder.pid).status() == psutil.STATUS_STOPPED


def test_a_holder_that_is_frozen_is_ended_before_its_lease_is_taken(frozen):
    assert frozen.is_proved(DATABASE)
    assert frozen.end(DATABASE)
    assert frozen.is_gone()
    assert not frozen.is_proved(DATABASE)
    assert not frozen.end(DATABASE)


def test_one_that_ends_just_before_it_is_killed_is_ended_all_the_same(frozen, monkeypatch):
    real = signal.pidfd_send_signal

    def send(process: int, number: int) -> None:
        if number:
            os.kill(frozen.pid, signal.SIGKILL)
            os.waitpid(frozen.pid, 0)
        real(process, number)

    monkeypatch.setattr(signal, "pidfd_send_signal", send)
    assert frozen.end(DATABASE)


@pytest.fixture
def dead(frozen):
    """A holder that has ended and that its parent does not wait for, as in a container without an init."""
    os.kill(frozen.pid, signal.SIGKILL)
    os.waitid(os.P_PID, frozen.pid, os.WEXITED | os.WNOWAIT)
    return frozen


def test_a_holder_that_is_dead_is_gone_though_nobody_waits_for_it(dead):
    assert psutil.Process(dead.pid).status() == psutil.STATUS_ZOMBIE
    assert dead.is_gone()
    assert not dead.end(DATABASE)


@pytest.mark.parametrize(
    ("worn", "serving"),
    [
        ("a-copy", DATABASE),  # seen by a runner on the original
        (DATABASE, "a-copy"),  # seen by a runner on the copy
        ("", ""),  # nothing proves which database it is
    ],
)
def test_a_holder_that_serves_a_copy_of_the_database_is_neither_ended_nor_gone(standing, worn, serving):
    holder = standing(database=worn)
    assert not holder.is_proved(serving)
    assert not holder.end(serving)
    assert lives(holder)
    assert not holder.is_gone()


def test_a_holder_that_shows_nothing_as_one_of_an_older_version_is_left_alone(frozen):
    with subprocess.Popen(["sleep", "60"]) as process:
        bare = replace(frozen, pid=process.pid, process_started=psutil.Process(process.pid).create_time())
        assert not bare.end(DATABASE)
        assert not bare.is_gone()
        assert process.poll() is None
        process.kill()


def test_a_process_that_may_be_another_is_left_alone(standing):
    another = standing(token="anothers")
    assert not another.end(DATABASE)
    assert not replace(another, token="anothers", machine="elsewhere").end(DATABASE)
    assert not replace(another, token="anothers", machine="").end(DATABASE)
    assert lives(another)


def test_a_process_of_another_user_is_left_alone(frozen, monkeypatch):
    def refuse(path: str) -> list[str]:
        raise PermissionError(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert not frozen.end(DATABASE)
    assert not frozen.is_gone()
    assert lives(frozen)


def test_a_process_that_may_not_be_signalled_is_not_called_proved(frozen, monkeypatch):
    def refuse(process: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    assert not frozen.is_proved(DATABASE)
    assert not frozen.end(DATABASE)


def test_where_the_system_holds_on_to_no_process_nothing_is_ended(frozen, monkeypatch):
    monkeypatch.delattr(os, "pidfd_open")
    assert not frozen.end(DATABASE)
    assert lives(frozen)


def test_a_clock_that_was_set_after_the_start_makes_nobody_gone(frozen):
    assert not replace(frozen, process_started=frozen.process_started - 100).is_gone()
    assert replace(frozen, process_started=frozen.process_started - 100, token="anothers").is_gone()


@pytest.mark.parametrize(("error", "gone"), [(PermissionError, False), (ProcessLookupError, True)])
def test_a_process_that_is_hidden_is_not_called_gone(frozen, monkeypatch, error, gone):
    """As where /proc is mounted with hidepid=2."""

    def hide(pid: int) -> None:
        raise psutil.NoSuchProcess(pid)

    def refuse(pid: int, number: int) -> None:
        raise error

    with monkeypatch.context() as hiding:
        hiding.setattr(psutil, "Process", hide)
        hiding.setattr(os, "kill", refuse)
        found = frozen.is_gone()
    assert found == gone


@pytest.mark.parametrize("machine", ["elsewhere", ""])
def test_a_process_that_cannot_be_looked_for_is_not_called_gone(me, machine):
    assert not replace(lease.holder(), machine=machine, pid=2**22 + 1).is_gone()


def test_another_space_of_process_ids_is_another_machine(me, monkeypatch):
    dead = replace(lease.holder(), pid=2**22 + 1)
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[1]")
    assert not dead.is_gone()


def test_observing_gives_the_holder(me):
    assert lease.observe() == lease.holder()
