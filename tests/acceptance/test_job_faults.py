"""What jobs themselves do wrong, in real runners: each run says it, and neither the next job nor the runner suffers."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import psutil
import pytest

from tests.chaos import plan, servers
from tests.chaos.keeper import marked
from tests.chaos.plan import Specimen
from tests.chaos.world import World, settled
from tests.settings import ENGINE

from .audit import audit
from .stage import Stage, staged

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(ENGINE not in servers.engines(), reason=f"the programs of {ENGINE} are not installed here"),
]
APART = 0.3  # seconds between two runs that are asked for
Row = Mapping[str, Any]
SPARED = {"succeeded", "skipped"}  # one that waits while all is switched off in the end is skipped
HANGS = ("stubborn", "orphan", "stopped")
TIMEOUT = 10  # seconds in which a project is loaded, on a busy machine too
LONG = 8.0  # seconds in which who serves a job is found among all processes, likewise


class End(NamedTuple):
    """What the run of a job says in the end."""

    status: str
    exit_code: int | None
    said: str = ""  # in its reason or output
    left: str = ""  # in its warning


FINE, SKEWED = ("succeeded", 0), "was changed and is put back"
INSIDE: Mapping[str, End] = {
    "vanish": End("abandoned", None, "its runner is gone"),
    "raise": End("failed", 1, "ValueError: the till is short"),
    "exit": End("failed", 3, "exit code 3"),
    "interrupt": End("failed", -2, "KeyboardInterrupt"),
    "blackout": End("failed", 1, "Blackout: the lights are off"),
    "noise": End(*FINE, said="bytes left out"),
    "bytes": End(*FINE, said=r"nul \x00, broken \xff\xfe, "),
    "transaction": End(*FINE, left="autocommit was left off"),
    "autocommit": End(*FINE, left="autocommit was left off"),
    "atomic": End(*FINE, left="a transaction was left open and is rolled back"),
    "broken": End(*FINE, left="a transaction was left open and is rolled back"),
    "shut": End(*FINE, left="a transaction was left open and is rolled back"),
    "begun": End(*FINE, left="(BEGIN) and is replaced" if ENGINE == "mariadb" else "of the driver was left open"),
    "close": End(*FINE),
    "unplugged": End(*FINE, left="the connection was left unusable and is replaced"),
    "chdir": End(*FINE, left=f"the working directory {SKEWED}\nthe environment {SKEWED}\nthe umask {SKEWED}"),
    "nowhere": End(*FINE, left=f"the working directory {SKEWED}"),
    "time": End(*FINE, left=f"the environment {SKEWED}"),
    "language": End(*FINE, left=f"the language {SKEWED}"),
    "zone": End(*FINE, left=f"the time zone {SKEWED}"),
    "alarm": End(*FINE, left=f"the alarm clock {SKEWED}"),
    "handlers": End("failed", 1, "signal only works in main thread"),
    "stream": End(*FINE, left=f"sys.stdout or sys.stderr {SKEWED}"),
    "closing": End(*FINE),
    "descriptors": End(*FINE, left=f"a descriptor of the console {SKEWED}"),
    "logging": End(*FINE, left=f"logging {SKEWED}"),
    "configure": End(*FINE, left=f"logging {SKEWED}"),
    "recursion": End(*FINE, left=f"the recursion limit {SKEWED}"),
    "thread": End(*FINE, left="threads go on: short"),
    "lasting": End(*FINE, left="threads go on: lasting"),
    "fork": End(*FINE),
    "split": End(*FINE),
}
OUTSIDE: Mapping[str, End] = {
    "raise": End("failed", 1, "ValueError: the till is short"),
    "exit": End("failed", 3, "exit code 3"),
    "noise": End(*FINE, said="bytes left out"),
    "bytes": End(*FINE, said=r"nul \x00, broken \xff\xfe, "),
    "stubborn": End("timed_out", -9, f"no end within {TIMEOUT} seconds"),
    "orphan": End("timed_out", -15, "sleep 62"),
    "holder": End(*FINE, said="sleep 64"),
    "stopped": End("timed_out", -9, f"no end within {TIMEOUT} seconds"),
    "signal": End("failed", -11, "killed by SIGSEGV"),
    "silent": End(*FINE),
    "mute": End(*FINE),
}

# Killed while a job runs: who would start the next one, and who watches over this one.
VICTIMS: Mapping[str, End] = {
    "launcher": End(*FINE),
    "supervisor": End("failed", None, "its supervisor ended without a report"),
}


@dataclass
class Ordeal:
    """What became of a site whose jobs did everything wrong, one after the other."""

    rows: dict[str, Row]
    harm: tuple[str, ...]
    ticks: Counter[str]  # of the job that did nothing wrong, by status
    exits: Counter[int]


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Ordeal:
    jobs = [Specimen(command=habit, internal=True, habit=habit) for habit in INSIDE]
    tick = Specimen(command="tick", internal=True, every=2, habit="careful")
    with staged(tmp_path_factory.mktemp("site"), (tick, *jobs)) as stage:
        return suffered(stage, endings(stage, INSIDE))


@pytest.fixture(scope="module", params=["auto", "exec"])
def outside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ordeal:
    jobs = [
        Specimen(command=habit, internal=False, habit=habit, timeout=TIMEOUT if habit in HANGS else None)
        for habit in OUTSIDE
    ]
    tick = Specimen(command="tick", internal=False, every=2)
    long = Specimen(command="long", internal=False, lasts=LONG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SITE_SPAWN", request.param)
        with staged(tmp_path_factory.mktemp("site"), (tick, long, *jobs)) as stage:
            rows = endings(stage, OUTSIDE)
            return suffered(stage, rows | {victim.__name__: bereft(stage, victim) for victim in (launcher, supervisor)})


def endings(stage: Stage, habits: Iterable[str]) -> dict[str, Row]:
    """Ask for these jobs one after the other, and give their rows in the end."""
    world, names = stage.world, list(habits)
    for number, habit in enumerate(names):
        world.run_now(f"{plan.APP}.{habit}", number * APART)
    return {habit: ended(stage, run) for habit, run in zip(names, world.asked, strict=True)}


def bereft(stage: Stage, victim: Callable[[World], psutil.Process]) -> Row:
    """Kill one of those who serve a job while it runs, and give its row in the end."""
    world, asked = stage.world, time.time()
    world.run_now("shop.long", 0)
    stage.wait(lambda: "shop.long" in stage.begun(asked), 60)
    victim(world).kill()
    return ended(stage, world.asked[-1])


def ended(stage: Stage, run: int) -> Row:
    return stage.wait(lambda: stage.world.client.insist("ended", run=run), 60)


def launcher(world: World) -> psutil.Process:
    children = psutil.Process(world.client.insist("holder")).children()
    return next(child for child in children if "launcher" in child.cmdline())


def supervisor(world: World) -> psutil.Process:
    return next(process for process, _ in marked(world.folder) if "supervisor" in process.cmdline())


def suffered(stage: Stage, rows: dict[str, Row]) -> Ordeal:
    """Let everything come to rest, and audit it."""
    rested = time.time()
    stage.wait(lambda: "shop.tick" in stage.begun(rested), 60)
    late = settled(stage.world)
    evidence = stage.world.evidence()
    ticks = Counter(row.status for row in evidence.rows if row.job == "shop.tick")
    return Ordeal(rows, (*late, *audit(evidence)), ticks, stage.world.keeper.exits)


def assert_ended(row: Row, end: End) -> None:
    assert (row["status"], row["exit_code"]) == (end.status, end.exit_code)
    assert end.said in row["reason"] + row["output"]
    assert end.left in row["warning"]
    assert end.left or not row["warning"]


@pytest.mark.parametrize("habit", INSIDE)
def test_what_a_job_does_wrong_in_the_runner_is_recorded_and_put_right(inside, habit):
    assert_ended(inside.rows[habit], INSIDE[habit])


def test_jobs_in_the_runner_harm_nobody(inside):
    assert inside.harm == ()
    assert inside.ticks.keys() <= SPARED
    assert inside.exits.keys() == {0, 9}
    assert inside.exits[9] == 1


@pytest.mark.once
@pytest.mark.parametrize("habit", OUTSIDE)
def test_what_a_job_does_wrong_in_its_own_process_is_recorded_and_ended(outside, habit):
    assert_ended(outside.rows[habit], OUTSIDE[habit])


@pytest.mark.once
@pytest.mark.parametrize("victim", VICTIMS)
def test_who_serves_a_job_may_be_killed_while_it_runs(outside, victim):
    assert_ended(outside.rows[victim], VICTIMS[victim])


@pytest.mark.once
def test_jobs_in_processes_of_their_own_harm_nobody(outside):
    assert outside.harm == ()
    assert outside.ticks.keys() <= SPARED
    assert outside.exits.keys() == {0}


@pytest.mark.once
def test_every_habit_of_a_strained_site_is_looked_at_alone():
    assert set(plan.INSIDE) <= INSIDE.keys()
    assert set(plan.OUTSIDE) <= OUTSIDE.keys()
