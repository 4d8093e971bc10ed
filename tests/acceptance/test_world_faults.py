"""The world around the runner misbehaves: clocks, mail servers, deployments, people who ask for too much."""

import re
import shutil
import time

import psutil
import pytest

from tests.chaos.mail import HANGING
from tests.chaos.plan import Specimen
from tests.chaos.world import settled
from tests.settings import ENGINE

from .audit import audit
from .stage import staged

pytestmark = pytest.mark.timeout(600)
HOUR = 3600.0
NOTICED = 30.0  # seconds within which a step of the clock is noticed
MANY = 1_000 if ENGINE == "sqlite" else 10_000  # so many take minutes: servers see them, and the quick call does not
GROWTH = 32 * 1024**2  # bytes


@pytest.fixture
def ticking(site):
    """A runner with a clock that can be set, and a job that runs every second."""
    site.jobs, site.env["SITE_CLOCK"] = ("tick",), "1"
    runner = site.start()
    site.wait(lambda: len(site.trace()) >= 2)
    yield site
    assert site.stop(runner) == 0


def set_clock(site, seconds: float) -> int:
    """Set the clock; give how often the job had run until then."""
    (site.folder / "clock").write_text(str(seconds))
    return len(site.trace())


def step_of_the_clock(site) -> float:
    """Give the seconds by which the runner says that its clock was set."""
    return float(re.search(r"the system clock was set by (-?[\d.]+) s", site.log())[1])


@pytest.mark.once
def test_a_clock_that_jumps_forward_gives_one_late_run_that_counts_the_hour(ticking):
    before = set_clock(ticking, HOUR)
    ticking.wait(lambda: len(ticking.trace()) >= before + 4, NOTICED + 5)
    counts = [count for (count,) in ticking.runs("tick", "coalesced")]
    assert 3500 < sum(counts) < 3700
    assert sum(count > 100 for count in counts) == 1
    assert step_of_the_clock(ticking) == pytest.approx(HOUR, abs=1)


@pytest.mark.once
def test_a_clock_that_jumps_back_neither_silences_nor_repeats_a_job(ticking):
    before = set_clock(ticking, -HOUR)
    ticking.wait(lambda: len(ticking.trace()) >= before + 4, NOTICED + 5)
    due = [moment for (moment,) in ticking.runs("tick", "scheduled_for")]
    assert len(due) == len(set(due)) >= before + 4
    assert step_of_the_clock(ticking) == pytest.approx(-HOUR, abs=1)


@pytest.mark.parametrize("point", ["claimed", "outside"])
def test_a_command_that_is_deleted_while_it_is_started_fails_loudly_and_harms_nobody(tmp_path_factory, point):
    folder = tmp_path_factory.mktemp("site")
    jobs = (Specimen(command="outside", internal=False, every=2, lasts=0.1),)
    with staged(folder, jobs) as stage:
        stage.see_all_run()
        stage.stand_at(point)
        commands = folder / "shop" / "management" / "commands"
        (commands / "outside.py").unlink()
        shutil.rmtree(commands / "__pycache__", ignore_errors=True)
        stage.go_on()
        stage.wait(lambda: re.search(r"job shop\.outside run \d+ failed", stage.log()), 20)
        assert (*settled(stage.world), *audit(stage.world.evidence())) == ()
        assert stage.world.keeper.exits.keys() <= {0}


def test_a_mail_server_that_hangs_delays_no_job_and_loses_no_mail(tmp_path_factory):
    jobs = (
        Specimen(command="inside", internal=True, every=1, lasts=0.05),
        Specimen(command="failing", internal=True, every=2, habit="raise"),
    )
    with staged(tmp_path_factory.mktemp("site"), jobs) as stage:
        (stage.world.folder / HANGING).touch()
        stage.see_all_run()
        begun = time.time()
        # Ever more of them, while more mails hang with each; a busy machine may be late with some.
        stage.wait(
            lambda: len([at for word, _, _, _, at in trace(stage) if word == "start" and float(at) > begun]) >= 9, 30
        )
        assert not (stage.world.folder / "mails").exists()
        (stage.world.folder / HANGING).unlink()
        assert stage.harm() == ()


def trace(stage) -> list[list[str]]:
    return [line.split() for line in (stage.world.folder / "trace").read_text().split("\n")[:-1]]


def times(stage, word: str, job: str) -> int:
    """Count how often a job began or ended."""
    return (stage.world.folder / "trace").read_text().count(f"{word} {job} ")


@pytest.mark.timeout(1200)  # a busy machine needs some minutes for so many, and for the audit of them
def test_thousands_of_queued_runs_are_run_in_turn_and_leave_no_memory_behind(tmp_path_factory):
    jobs = (
        Specimen(command="inside", internal=True, every=3),
        Specimen(command="often", internal=True),
    )
    with staged(tmp_path_factory.mktemp("site"), jobs) as stage:
        world = stage.world
        world.asked += world.client.ask("run_often", job="shop.often", count=10)
        stage.wait(lambda: {"shop.inside", "shop.often"} <= stage.begun(0.0), 60)
        runner = psutil.Process(world.client.insist("holder"))
        before = runner.memory_full_info().pss
        asked = world.client.ask("run_often", job="shop.often", count=MANY)
        world.asked += asked
        # A run that still waits when its job is switched off is skipped: all of them first, then the end.
        stage.wait(lambda: times(stage, "end", "shop.often") >= MANY + 10, 900)
        assert runner.memory_full_info().pss < before + GROWTH
        assert (*settled(world), *audit(world.evidence())) == ()
        assert times(stage, "start", "shop.often") == MANY + 10
