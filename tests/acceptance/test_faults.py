"""What the promises are worth: something is done to the runner at each step of a run, and the audit finds no harm."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

import pytest

from tests.chaos import faults
from tests.chaos.plan import Specimen
from tests.chaos.points import REACHED, WANTED
from tests.chaos.world import World, settled, suffering
from tests.settings import ENGINE

from .audit import audit

pytestmark = pytest.mark.timeout(240)
JOBS = (
    Specimen(command="inside", internal=True, every=2, lasts=0.2, asks=True),
    Specimen(command="outside", internal=False, every=3, lasts=0.3),
    Specimen(command="first", internal=True, every=5, lasts=0.1, followers=("shop.second",)),
    Specimen(command="second", internal=False, lasts=0.2),
)
POINTS = ("asking", "admitted", "claimed", "inside", "outside", "executed", "closed")


@pytest.fixture
def world(tmp_path_factory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("site")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # a database server that gave up root reaches its own folder in it
    with suffering(folder, ENGINE, os.environ.get("SITE_SPAWN", "auto"), JOBS, 2) as world:
        world.keeper.start()
        wait(lambda: has_run(world, since=0.0), 40)
        yield world


def wait(what: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.05)


def has_run(world: World, since: float) -> bool:
    """Tell whether every job began at this moment or later."""
    trace = world.folder / "trace"
    lines = [line.split() for line in trace.read_text().splitlines()] if trace.exists() else []
    return {job.name for job in JOBS} <= {
        job for word, job, _, _, at in lines if word == "start" and float(at) >= since
    }


def stand_at(world: World, point: str) -> None:
    (world.folder / WANTED).write_text(point)
    wait((world.folder / REACHED).exists, 30)


def go_on(world: World) -> None:
    with suppress(FileNotFoundError):
        (world.folder / REACHED).unlink()


def harm(world: World) -> tuple[str, ...]:
    """Let everything run once more, come to rest, and be audited."""
    begun = time.time()
    wait(lambda: has_run(world, since=begun), 60)
    return (*settled(world), *audit(world.evidence()))


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_at_any_step_costs_nothing(world, point, number):
    stand_at(world, point)
    faults.send(world, number)
    go_on(world)
    assert harm(world) == ()


@pytest.mark.parametrize("point", POINTS)
def test_a_power_cut_at_any_step_costs_nothing(world, point):
    stand_at(world, point)
    faults.cut_the_power(world, Random(1))
    go_on(world)
    assert harm(world) == ()


@pytest.mark.parametrize("point", ["admitted", "claimed", "inside", "outside", "executed"])
def test_a_runner_that_freezes_past_its_lease_is_replaced(world, point):
    stand_at(world, point)
    faults.freeze(world, 18)
    go_on(world)
    assert harm(world) == ()


def test_two_runners_that_start_at_one_instant_do_nothing_twice(world):
    for _ in range(5):
        faults.kill_both(world, Random(1))
        wait(lambda: len(world.keeper.pids()) == 2, 20)
        time.sleep(2)
    assert harm(world) == ()
