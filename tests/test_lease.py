import os
import signal
import socket
import subprocess
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest

from scheduler_bridge import lease
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.lease import EXPIRES_AFTER, Identity, Watch


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
def frozen(me):
    """A holder whose process is stopped and would go on one day."""
    with subprocess.Popen(["sleep", "60"]) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        started = psutil.Process(process.pid).create_time()
        yield replace(lease.holder(), pid=process.pid, process_started=started)
        process.kill()


def test_a_holder_that_is_frozen_is_ended_before_its_lease_is_taken(frozen):
    assert frozen.end()
    assert frozen.is_gone()
    assert not frozen.end()


@pytest.fixture
def dead(me):
    """A holder that has ended and that its parent does not wait for, as in a container without an init."""
    with subprocess.Popen(["sleep", "60"]) as process:
        started = psutil.Process(process.pid).create_time()
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield replace(lease.holder(), pid=process.pid, process_started=started)


def test_a_holder_that_is_dead_is_gone_though_nobody_waits_for_it(dead):
    assert psutil.Process(dead.pid).status() == psutil.STATUS_ZOMBIE
    assert dead.is_gone()
    assert not dead.end()


def test_a_frozen_holder_that_nobody_waits_for_is_ended_without_a_wait(frozen, monkeypatch):
    monkeypatch.setattr(psutil.Process, "wait", lambda process, timeout: pytest.fail("it waits for the parent"))
    assert frozen.end()


def test_a_process_that_may_be_another_is_left_alone(frozen):
    assert not replace(frozen, machine="elsewhere").end()
    assert not replace(frozen, machine="").end()
    assert not replace(frozen, process_started=frozen.process_started - 100).end()
    assert psutil.Process(frozen.pid).status() == psutil.STATUS_STOPPED


@pytest.mark.parametrize("machine", ["elsewhere", ""])
def test_a_process_that_cannot_be_looked_for_is_not_called_gone(me, machine):
    assert not replace(lease.holder(), machine=machine, pid=2**22 + 1).is_gone()


def test_another_space_of_process_ids_is_another_machine(me, monkeypatch):
    dead = replace(lease.holder(), pid=2**22 + 1)
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[1]")
    assert not dead.is_gone()


def test_observing_gives_the_holder(me):
    assert lease.observe() == lease.holder()
