"""How a runner comes to work, and how it goes: signals, a standby, and a database that is not there."""

import shutil
import signal
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.acceptance.proxy import Door
from tests.settings import ENGINE

pytestmark = pytest.mark.timeout(180)
PORTS = {"postgres": 5432, "mariadb": 3306}


def is_runner(site) -> bool:
    return bool(site.query("Runner.objects.exclude(token='').count()"))


@pytest.mark.once
def test_a_wrong_setting_keeps_the_runner_from_starting(site):
    site.env["SITE_TIMEOUT"] = "two minutes"
    assert site.start().wait(30) == 1
    assert "scheduler_bridge.E001" in site.log()
    assert "two minutes" in site.log()


@pytest.mark.once
def test_a_command_that_cannot_be_loaded_fails_loudly_and_hides_nobody(site):
    site.jobs = ("tick", "breaking")
    site.manage("migrate")
    site.env["SITE_BROKEN"] = "1"
    assert "broken job tests.acceptance.site.breaking: ModuleNotFoundError" in site.manage("migrate").stdout
    runner = site.start()
    mail = site.wait(lambda: list((site.folder / "mail").glob("*")))
    site.wait(lambda: len(site.trace()) >= 2)
    assert site.stop(runner) == 0
    status, output = site.runs("breaking", "status", "output")[0]
    assert status == "failed"
    assert "no_such_module" in output
    assert "tests.acceptance.site.breaking failed: " in mail[0].read_text()
    assert "broken" in site.manage("scheduledjobs").stdout


@pytest.mark.once
def test_an_interrupt_from_the_keyboard_stops_the_runner_too(site):
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(site.trace)
    assert site.stop(runner, signal.SIGINT) == 0
    assert not is_runner(site)
    assert site.query("Run.objects.filter(status='running').count()") == 0


@pytest.mark.once
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_standby_stops_at_once_and_leaves_the_runner_alone(site, number):
    runner = site.start()
    site.wait(lambda: is_runner(site))
    standby = site.start()
    site.wait(lambda: "standby" in site.log(1))
    assert site.stop(standby, number, timeout=site.at_once()) == 0
    assert is_runner(site)
    assert site.stop(runner) == 0


@pytest.mark.once
def test_a_standby_whose_code_is_older_than_what_was_migrated_makes_room_for_the_new(site):
    runner = site.start()
    site.wait(lambda: is_runner(site))
    standby = site.start()
    site.wait(lambda: "standby" in site.log(1))
    site.query("(Runner.objects.update(code='newer'), api.announce_change())")
    assert standby.wait(20) == 75
    assert runner.wait(20) == 75


@pytest.mark.once
def test_a_runner_that_is_told_to_stop_while_newer_code_waits_for_its_run_ends_that_run(site):
    site.jobs = ("long_outside",)
    runner = site.start()
    site.wait(site.trace)
    site.query("(Runner.objects.update(code='newer'), api.announce_change())")
    site.wait(lambda: "newer code was migrated" in site.log())
    time.sleep(2)
    assert runner.poll() is None
    assert site.stop(runner) == 0
    assert site.runs("long_outside") == [["cancelled"]]


class Outage:
    """Takes the database away from the runner, though not from the test, and gives it back."""

    def __init__(self, site) -> None:
        self._site = site
        self._file = site.folder / "site.sqlite3"
        self._door = Door(PORTS[ENGINE]) if ENGINE in PORTS else None

    def environment(self) -> dict[str, str]:
        if self._door:
            return {"SITE_PORT": str(self._door.port)}
        return {"SITE_DATABASE": str(self._site.folder / "disk" / "site.sqlite3")}

    def end(self) -> None:
        if self._door:
            self._door.open()
        else:
            # In one step: the runner, which looks again and again, may not find a folder without the whole file.
            (self._site.folder / "new").mkdir()
            shutil.copy(self._file, self._site.folder / "new")
            (self._site.folder / "new").rename(self._site.folder / "disk")
            self._site.env = self.environment()

    def begin(self) -> None:
        self._door.shut()

    def close(self) -> None:
        if self._door:
            self._door.close()


@pytest.fixture
def outage(site) -> Iterator[Outage]:
    outage = Outage(site)
    yield outage
    outage.close()


def start_behind(site, outage: Outage):
    inside, site.env = site.env, {**site.env, **outage.environment()}
    runner = site.start()
    site.env = inside
    return runner


def test_a_runner_started_without_its_database_waits_and_says_so(site, outage):
    site.jobs = ("tick",)
    runner = start_behind(site, outage)
    site.wait(lambda: "the database does not answer, waiting" in site.log())
    time.sleep(2)
    assert site.log().count("the database does not answer") == 1
    outage.end()
    site.wait(lambda: len(site.trace()) >= 2)
    assert "the database answers again" in site.log()
    assert site.stop(runner) == 0
    assert {status for (status,) in site.runs("tick")} == {"succeeded"}


@pytest.mark.skipif(ENGINE not in PORTS, reason="a file does not go away under an open connection")
def test_an_outage_in_the_middle_loses_no_fire_time_and_doubles_none(site, outage):
    site.jobs = ("tick",)
    outage.end()
    runner = start_behind(site, outage)
    site.wait(lambda: len(site.trace()) >= 2)
    outage.begin()
    time.sleep(4)
    outage.end()
    count = len(site.trace())
    site.wait(lambda: len(site.trace()) >= count + 3)
    assert site.stop(runner) == 0
    runs = site.runs("tick", "status", "coalesced", "scheduled_for")
    assert {status for status, _, _ in runs} == {"succeeded"}
    assert len(runs) == len(site.trace())
    assert max(folded for _, folded, _ in runs) >= 2
    moments = site.query(
        "[r.scheduled_for.timestamp() for r in Run.objects.filter(job__command='tick').order_by('id')]"
    )
    steps = [round(later - earlier) for earlier, later in pairwise(moments)]
    assert steps == [folded + 1 for _, folded, _ in runs[1:]]
