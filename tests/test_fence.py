"""When a runner that cannot renew its lease ends; the thread and the end itself are seen in the acceptance tests."""

import re
import threading
from types import SimpleNamespace

import pytest

from scheduler_bridge import fence as module
from scheduler_bridge.fence import END_AFTER, LOOK_EVERY, SAY_WITHIN, Fence, leave_soon
from scheduler_bridge.lease import BEAT_BUSY, BEAT_IDLE, EXPIRES_AFTER

RIVALS = ("web2 process 77",)
RUN = "job shop.reports run 5"


class Told:
    """What the fence said."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.hurried = 0

    def hurry(self) -> None:
        self.hurried += 1


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def now(monkeypatch):
    """The uptime of this machine, which stands still until it is moved on."""
    now = [1000.0]
    monkeypatch.setattr("scheduler_bridge.fence.uptime", lambda: now[0])
    return now


@pytest.fixture
def fence(told, now):
    """A fence that was never started; its test looks when it wants to."""
    fence = Fence(told.hurry, told.ended.append)
    fence.renewed(now[0], now[0], RIVALS)
    return fence


def test_a_run_whose_lease_is_renewed_no_more_is_given_up_before_a_rival_takes_over(fence, told, now):
    fence.entered(RUN)
    assert not fence._look(now[0] + END_AFTER - 0.01)
    assert fence._look(now[0] + END_AFTER)
    (reason,) = told.ended
    assert reason.startswith("job shop.reports run 5 is given up, as the lease could not be renewed for 12.0 s")
    assert reason.endswith("taken over now by one who waits: web2 process 77")


def test_the_time_counts_from_before_the_renewal_was_sent(fence, now):
    fence.entered(RUN)
    fence.renewed(now[0] + 4, now[0] + 8, RIVALS)
    assert not fence.verdict(now[0] + 4 + END_AFTER - 0.01)
    assert fence.verdict(now[0] + 4 + END_AFTER)


def test_an_older_renewal_that_is_answered_later_takes_nothing_back(fence, now):
    fence.entered(RUN)
    fence.renewed(now[0] + 4, now[0] + 4, RIVALS)
    fence.renewed(now[0] + 3, now[0] + 5, RIVALS)
    assert fence.age(now[0] + 5) == 1


def test_an_idle_runner_waits(fence, told, now):
    assert not fence._look(now[0] + 1000)
    assert fence._pause(now[0] + 1000) is None


def test_a_run_without_a_rival_survives_an_outage(fence, told, now):
    fence.renewed(now[0], now[0], ())
    fence.entered(RUN)
    assert not fence._look(now[0] + 1000)
    assert fence._pause(now[0] + 1000) is None


def test_a_run_that_ended_is_at_stake_no_more(fence, now):
    fence.entered(RUN)
    fence.entered("")
    assert not fence.verdict(now[0] + 1000)


def test_a_run_that_is_entered_without_a_lease_is_given_up_at_once(fence, told, now):
    now[0] += END_AFTER
    fence.entered(RUN)
    assert len(told.ended) == 1


def test_an_answer_that_took_too_long_arms_nothing_as_the_next_one_is_sent_at_once(fence, told, now):
    fence.renewed(now[0], now[0], ())
    fence.entered(RUN)
    fence.renewed(now[0] + 1, now[0] + 60, RIVALS)
    assert not fence.verdict(now[0] + 60)
    fence.renewed(now[0] + 60, now[0] + 60, RIVALS)
    assert fence.verdict(now[0] + 60 + END_AFTER)


def test_a_renewal_that_is_late_is_asked_for_while_a_run_is_at_stake(fence, told, now):
    fence._look(now[0] + BEAT_BUSY + 1)
    assert told.hurried == 0
    fence.entered(RUN)
    fence._look(now[0] + BEAT_BUSY)
    assert told.hurried == 0
    fence._look(now[0] + BEAT_BUSY + 0.1)
    assert told.hurried == 1


def test_it_looks_often_while_something_is_at_stake_and_in_time_for_the_end(fence, now):
    fence.entered(RUN)
    assert fence._pause(now[0]) == LOOK_EVERY
    assert fence._pause(now[0] + END_AFTER - 0.1) == pytest.approx(0.1)


def test_before_the_first_renewal_nothing_is_fresh(told):
    assert Fence(told.hurry, told.ended.append).age(0.0) == float("inf")


def test_the_process_is_gone_before_a_rival_takes_over_even_if_its_last_words_hang():
    assert BEAT_IDLE < END_AFTER
    assert END_AFTER + LOOK_EVERY + SAY_WITHIN < EXPIRES_AFTER


def test_threads_that_go_on_keep_no_runner_alive(monkeypatch, caplog):
    codes, ended, go_on = [], threading.Event(), threading.Event()
    monkeypatch.setattr(module, "END_WITHIN", 0.01)
    monkeypatch.setattr(module, "leave", lambda code: (codes.append(code), ended.set()))
    left = threading.Thread(target=go_on.wait, name="left")
    left.start()
    leave_soon(75)
    assert ended.wait(10)
    go_on.set()
    left.join()
    # Other tests may have left threads too.
    said = re.compile(r"the runner ends though threads go on: .*\bleft\b.*")
    assert (codes, len(list(filter(said.fullmatch, caplog.messages)))) == ([75], 1)


class Leaving(BaseException):
    """Stands for the end of the process."""


def hang(*words):
    threading.Event().wait(5)


def fail(*words):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("trouble", [fail, hang], ids=["fails", "hangs"])
@pytest.mark.parametrize("where", ["words", "logging", "stdout", "stderr"])
def test_the_process_ends_with_its_code_whatever_its_streams_do(monkeypatch, where, trouble):
    codes, steps = [], []

    def leave(code):
        codes.append(code)
        raise Leaving

    def step(name):
        return lambda *words: (steps.append(name), trouble() if name == where else None)

    monkeypatch.setattr(module.os, "_exit", leave)
    monkeypatch.setattr(module.logging, "shutdown", step("logging"))
    monkeypatch.setattr(module.sys, "stdout", SimpleNamespace(flush=step("stdout"), write=step("stdout")))
    monkeypatch.setattr(module.sys, "stderr", SimpleNamespace(flush=step("stderr"), write=step("stderr")))
    with pytest.raises(Leaving):
        module.leave(70, step("words"), within=0.5)
    assert codes == [70]
    every = ["words", "logging", "stdout", "stderr"]
    assert steps[: len(every)] == (every if trouble is fail else every[: every.index(where) + 1])


def test_it_ends_where_no_thread_can_be_had(monkeypatch):
    codes = []
    monkeypatch.setattr(module.os, "_exit", codes.append)
    monkeypatch.setattr(module.threading.Thread, "start", fail)
    with pytest.raises(OSError, match="No space"):
        module.leave(70)
    assert codes == [70]
