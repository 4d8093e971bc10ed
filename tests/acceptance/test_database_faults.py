"""The database fails at each step of a run, and the audit finds no harm."""

import re
import threading
import time
from random import Random

import pytest

from scheduler_bridge.lease import BEAT_IDLE, EXPIRES_AFTER
from tests.chaos import faults
from tests.chaos.plan import Specimen
from tests.chaos.world import settled
from tests.settings import ENGINE

from .audit import audit
from .stage import POINTS, staged

pytestmark = pytest.mark.timeout(600)
RANDOM = Random(1)
needs_server = pytest.mark.skipif(ENGINE == "sqlite", reason="nothing connects to SQLite")
needs_file = pytest.mark.skipif(ENGINE != "sqlite", reason="only a file is locked as a whole")


@needs_server
def test_connections_that_are_cut_at_any_step_cost_nothing(stage):
    for point in POINTS:
        stage.stand_at(point)
        faults.cut_connections(stage.world, RANDOM)
        stage.go_on()
        time.sleep(1)
    faults.cut_connections(stage.world, RANDOM)
    assert stage.harm() == ()


@needs_server
def test_a_crash_of_the_database_at_any_step_costs_nothing(stage):
    for point in POINTS:
        stage.stand_at(point)
        stage.world.server.stop()
        stage.go_on()
        time.sleep(1)
        stage.world.server.start()
    assert stage.harm() == ()


@needs_server
def test_a_database_that_is_away_for_a_minute_costs_nothing(stage):
    stage.stand_at("outside")
    stage.world.server.stop()
    stage.go_on()
    time.sleep(60)
    stage.world.server.start()
    assert stage.harm() == ()


@needs_server
@pytest.mark.parametrize("point", ["outside", "inside"])
def test_a_database_that_is_away_costs_the_run_in_hand_where_another_machine_waits(apart, point):
    apart.wait(lambda: apart.world.client.insist("waiting_hosts"), 30)
    time.sleep(BEAT_IDLE + 1)  # with a heartbeat the runner sees who waits
    apart.stand_at(point)
    runner = apart.world.client.insist("holder")
    apart.world.server.stop()
    time.sleep(EXPIRES_AFTER)
    apart.wait(lambda: runner not in apart.world.keeper.pids(), 10)
    apart.go_on()
    apart.world.server.start()
    assert apart.harm() == ()
    assert re.search("CRITICAL the runner ends: job .* is given up, as the lease could not be renewed", apart.log())
    assert apart.world.keeper.exits[70] == 1


@pytest.mark.parametrize("point", ["admitted", "executed"])
def test_tables_that_are_locked_for_ten_seconds_cost_nothing(stage, point):
    stage.stand_at(point)
    locking = threading.Thread(target=stage.world.helper.ask, args=("lock",), kwargs={"seconds": 10})
    locking.start()
    time.sleep(0.5)
    stage.go_on()
    locking.join()
    assert stage.harm() == ()


@needs_file
def test_an_internal_job_may_lock_the_file_for_a_minute(tmp_path_factory):
    jobs = (
        Specimen(command="hog", internal=True, lasts=60, habit="hog"),
        Specimen(command="outside", internal=False, every=3, lasts=0.1),
    )
    with staged(tmp_path_factory.mktemp("site"), jobs) as stage:
        stage.world.run_now("shop.hog", 0)
        stage.wait(lambda: "shop.hog" in stage.begun(0.0), 30)
        time.sleep(61)
        assert (*settled(stage.world), *audit(stage.world.evidence())) == ()
        assert stage.world.keeper.exits.keys() <= {0}


def test_a_full_disk_at_the_record_is_waited_for(stage):
    for point in ("admitted", "executed"):
        stage.stand_at(point)
        with faults.full_disk(stage.world):
            stage.go_on()
            time.sleep(3)
            stage.wait(lambda: re.search("waiting: .*(disk|extend file)", stage.log(), re.IGNORECASE), 5)
    assert stage.harm() == ()
    assert stage.world.keeper.exits.keys() <= {0}


def test_a_job_row_of_nonsense_stops_nobody(stage):
    stage.stand_at("outside")
    stage.world.client.insist("execute", statement=NONSENSE)
    stage.go_on()
    assert stage.harm() == ()


NONSENSE = (
    "UPDATE scheduler_bridge_job SET override_times = '[\"25:61\", 7]', schedule_key = '{', description = '' "
    "WHERE name = 'shop.second'"
)
DELETIONS = (
    "UPDATE scheduler_bridge_job SET last_run_id = NULL WHERE name = 'shop.outside'",
    "DELETE FROM scheduler_bridge_run WHERE job_id = (SELECT id FROM scheduler_bridge_job WHERE name = 'shop.outside')",
    "DELETE FROM scheduler_bridge_job WHERE name = 'shop.outside'",
)


def test_a_job_that_is_deleted_in_the_tables_while_it_runs_stops_nobody_and_comes_back(stage):
    stage.stand_at("outside")
    for statement in DELETIONS:
        stage.world.client.insist("execute", statement=statement)
    stage.go_on()
    stage.wait(lambda: "which is not recorded: expected a running run, got none" in stage.log(), 30)
    faults.migrate(stage.world, RANDOM)
    stage.see_all_run()
