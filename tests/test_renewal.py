from dataclasses import replace
from datetime import UTC, datetime

import pytest

from scheduler_bridge import identity, lease, renewal, standby
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.fence import Fence
from scheduler_bridge.lease import BEAT_IDLE
from scheduler_bridge.models import Runner
from scheduler_bridge.renewal import Renewal


@pytest.fixture
def clock(monkeypatch):
    """The uptime of this machine, which stands still until it is moved on."""
    clock = [1000.0]
    monkeypatch.setattr(renewal, "uptime", lambda: clock[0])
    return clock


@pytest.fixture
def fence():
    return Fence(lambda: None, pytest.fail)


@pytest.fixture
def subject(me, fence):
    return Renewal(me, fence, lambda: None)


def test_a_renewal_counts_from_before_it_was_sent(subject, fence, clock, monkeypatch):
    real = lease.renew

    def slow(*words: object) -> int | None:
        clock[0] += 3
        return real(*words)

    monkeypatch.setattr(lease, "renew", slow)
    subject.renew()
    assert fence.age(clock[0]) == 3


def test_a_renewal_sees_who_waits_on_another_machine(subject, fence, me, clock):
    moment = datetime.now(UTC)
    standby.note(replace(me, token="other", host="web2", machine="elsewhere"), moment, moment)
    subject.renew()
    assert fence._rivals == (f"web2 process {me.pid}",)


def test_a_lease_that_was_taken_is_not_renewed_and_the_fence_told_nothing(subject, fence, clock):
    Runner.objects.update(token="of another")
    with pytest.raises(LeaseLost):
        subject.renew()
    assert fence.age(clock[0]) == float("inf")


def test_only_a_lease_that_may_be_over_is_renewed_before_a_run(subject, fence, clock):
    subject.freshen()
    assert fence.age(clock[0]) == 0
    clock[0] += BEAT_IDLE
    subject.freshen()
    assert fence.age(clock[0]) == BEAT_IDLE
    clock[0] += 0.1
    subject.freshen()
    assert fence.age(clock[0]) == 0


def test_in_a_file_that_was_replaced_nothing_is_renewed_or_begun(subject, monkeypatch):
    subject.renew()
    subject.freshen()
    monkeypatch.setattr(identity, "is_replaced", lambda: True)
    for step in (subject.renew, subject.freshen):
        with pytest.raises(LeaseLost, match="the file of the database was replaced"):
            step()
