"""What the promises are worth: something is done to the runner at each step of a run, and the audit finds no harm."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest

from scheduler_bridge.lease import EXPIRES_AFTER
from tests.chaos import faults

from .stage import POINTS

pytestmark = pytest.mark.timeout(600)
RANDOM = Random(1)
PAIRS = int(os.environ.get("SITE_PAIRS", "5"))
PAST_THE_LEASE = EXPIRES_AFTER + 2  # seconds
STARTING = ("shop.outside", "shop.first")  # what starts a process, by itself or by what follows it


@pytest.mark.both_ways
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_at_any_step_costs_nothing(stage, number):
    with idle(stage):
        faults.send(stage.world, number)
    for point in POINTS:
        stage.stand_at(point)
        faults.send(stage.world, number)
        stage.go_on()
    assert stage.harm() == ()


@pytest.mark.both_ways
def test_a_power_cut_at_any_step_costs_nothing(stage):
    with idle(stage):
        faults.cut_the_power(stage.world, RANDOM)
    for point in POINTS:
        stage.stand_at(point)
        faults.cut_the_power(stage.world, RANDOM)
        stage.go_on()
    assert stage.harm() == ()


@contextmanager
def idle(stage) -> Iterator[None]:
    """Wait until nothing runs, as is so most of the time.

    A busy machine takes so long to load a project that it never is: what starts processes rests meanwhile.
    """
    for job in STARTING:
        stage.world.switch(job, False)
    stage.wait(lambda: stage.world.client.insist("is_idle"), 60)
    yield
    for job in STARTING:
        stage.world.switch(job, True)


def test_a_runner_that_freezes_past_its_lease_is_replaced(stage):
    for point in ("claimed", "inside", "outside"):
        stage.stand_at(point)
        faults.freeze(stage.world, PAST_THE_LEASE)
        stage.go_on()
    assert stage.harm() == ()


@pytest.mark.parametrize("point", ["admitted", "claimed", "executed"])
def test_a_runner_that_freezes_where_nobody_can_kill_it_ends_itself_and_starts_nothing(apart, point):
    apart.stand_at(point)
    frozen = apart.world.client.insist("holder")
    os.kill(frozen, signal.SIGSTOP)
    time.sleep(PAST_THE_LEASE)
    apart.wait(lambda: apart.world.client.insist("holder") != frozen, 10)  # by then another is the runner
    apart.go_on()
    os.kill(frozen, signal.SIGCONT)
    apart.wait(lambda: frozen not in apart.world.keeper.pids(), 10)
    assert apart.harm() == ()
    assert apart.world.keeper.exits[70] == 1


@pytest.mark.timeout(240 + 60 * PAIRS)
def test_two_runners_that_start_at_one_instant_do_nothing_twice(stage):
    for _ in range(PAIRS):
        before = set(stage.world.keeper.pids())
        faults.kill_both(stage.world, RANDOM)
        see_two_others(stage, before)
    assert stage.harm() == ()


def see_two_others(stage, before: set[int]) -> None:
    """Wait until two others run than these, which live on for a moment, and one of them is the runner."""
    stage.wait(lambda: len(set(stage.world.keeper.pids()) - before) == 2, 20)
    stage.wait(lambda: stage.world.client.insist("holder") not in before, 30)
    time.sleep(2)
