"""What an engine's workers, its broker, the database and the runner suffer costs no run and doubles none."""

import signal
import time
from datetime import timedelta

import pytest

from tests.chaos import faults
from tests.chaos.world import moment
from tests.engines.crew import everything, kill, whole
from tests.engines.names import OTHER, SERVED

from .engaged import ABANDONED_WITHIN, ERRANDS, LONG

pytestmark = pytest.mark.timeout(600)
TRIES = 6  # times that one message is delivered
STANDS_WITHIN = 120.0  # seconds until a process stands at a step: it may have to start before, with all others


def go_on_at_once(shop, jobs):
    """Let a worker perform each of these jobs; give the runs, by their numbers."""
    runs = [shop.run(job) for job in jobs]
    return {run: shop.until(run, "running", 40) for run in runs}


def stand_at(shop, point, job):
    """Let the worker that performs a run of this job stand still at this step of it; give the run."""
    runs = []
    shop.stage.stand_at(f"{point} {job}", lambda: runs.append(shop.run(job)), STANDS_WITHIN)
    return runs[0]


def worker_of(shop, row):
    return shop.wait(lambda: shop.yard.crew.performs(row["marker"]), 10)


def without_forks(head):
    return [process for process in whole(head) if process.pid != head.pid] or [head]


def test_however_a_worker_is_lost_its_run_is_given_up_in_the_stated_time(shop):
    with shop.at_rest():  # each finds a worker without work, so that none has ended when the last one begins
        rows = go_on_at_once(shop, LONG)
    markers = [row["marker"] for row in rows.values()]
    killed, unplugged, bereft, frozen = (worker_of(shop, row) for row in rows.values())
    frozen = whole(frozen)
    kill([*whole(killed), *everything(unplugged), *without_forks(bereft)])
    for process in frozen:
        process.suspend()
    for run in rows:
        row = shop.until(run, "abandoned", ABANDONED_WITHIN)
        assert "gives no sign of life" in row["reason"]
        assert moment(row["finished_at"]) - moment(row["heartbeat_at"]) < timedelta(seconds=ABANDONED_WITHIN)
    assert [shop.processes(marker) for marker in markers] == [0, 0, 0, 0]
    assert [shop.wait(lambda run=run: shop.row(run)["report"] == "sent", 10) for run in rows] == [True] * 4
    for process in frozen:
        process.resume()  # it cannot end its run any more
    for run in [shop.run(job) for job in LONG]:
        shop.until(run, "succeeded", 60)
    assert shop.harm() == ()


def test_a_worker_that_is_killed_while_its_fork_lives_on_costs_one_execution_at_most(shop):
    ((run, row),) = go_on_at_once(shop, LONG[:1]).items()
    shop.wait(lambda: shop.performed(run), 20)
    worker_of(shop, row).kill()
    shop.wait(lambda: shop.row(run)["finished_at"], ABANDONED_WITHIN)
    assert shop.performed(run) == 1
    assert shop.harm() == ()


def test_all_workers_killed_at_any_step_of_a_run_cost_that_run_at_most(shop):
    runs = []
    for point, job in zip(("taken", "executed", "closed", "taking"), ERRANDS, strict=True):
        runs.append(stand_at(shop, point, job))
        shop.yard.crew.kill_all()
        shop.stage.go_on()
    expected = ("abandoned", "abandoned", "succeeded", "succeeded")
    assert [shop.until(run, status, 90)["status"] for run, status in zip(runs, expected, strict=True)] == [*expected]
    assert [shop.performed(run) for run in runs] in ([0, 1, 1, 1], [1, 1, 1, 1])
    assert shop.harm() == ()


def test_a_broker_that_crashes_and_comes_back_costs_nothing(shop):
    if not shop.yard.broker.url:
        pytest.skip("this engine has no broker")
    ((run, _),) = go_on_at_once(shop, LONG[:1]).items()
    shop.yard.broker.stop()
    asked = shop.run(ERRANDS[0])
    time.sleep(3)
    shop.yard.broker.start()
    shop.until(run, "succeeded", 40)
    shop.until(asked, "succeeded", 60)
    assert shop.harm() == ()


def test_runs_whose_messages_were_lost_are_handed_over_again_and_performed_once(shop):
    shop.yard.crew.rest()
    runs = [shop.run(job) for job in ERRANDS]
    shop.wait(lambda: set(runs) <= set(shop.yard.ask("waiting")), 20)
    shop.wait(lambda: all(shop.row(run)["hand_tries"] for run in runs), 10)
    shop.yard.empty()
    # A worker that is quicker than the count of the messages keeps the last one out of it.
    shop.wait(lambda: all(shop.row(run)["hand_tries"] > 1 for run in runs), 30)
    shop.yard.crew.work()
    rows = [shop.until(run, "succeeded", 90) for run in runs]
    assert {row["hand_tries"] for row in rows} <= {2, 3}  # a third message only where workers are slow to start
    assert {shop.performed(run) for run in runs} == {1}
    assert shop.harm() == ()


def test_a_message_that_is_delivered_often_and_to_several_workers_makes_one_run(shop):
    shop.yard.crew.rest()
    runs = [shop.run(job) for job in ERRANDS]
    shop.wait(lambda: set(runs) <= set(shop.yard.ask("waiting")), 20)
    for run in runs:
        for queue in (SERVED, OTHER):
            shop.yard.ask("double", run=run, times=TRIES // 2, queue=queue)
    shop.yard.crew.work()
    for run in runs:
        shop.until(run, "succeeded", 60)
        shop.yard.ask("double", run=run, times=TRIES)
    ((long, _),) = go_on_at_once(shop, LONG[:1]).items()
    shop.yard.ask("double", run=long, times=TRIES)
    shop.until(long, "succeeded", 40)
    assert {shop.performed(run) for run in (*runs, long)} == {1}
    assert shop.harm() == ()


def test_a_database_that_crashes_and_comes_back_costs_nothing_that_could_be_saved(shop):
    if shop.yard.world.server.engine == "sqlite":
        pytest.skip("SQLite has no server to restart")
    ((run, _),) = go_on_at_once(shop, LONG[:1]).items()
    shop.yard.world.server.stop()
    time.sleep(4)
    shop.yard.world.server.start()
    shop.wait(lambda: shop.row(run)["finished_at"], ABANDONED_WITHIN)
    assert shop.performed(run) == 1
    assert shop.harm() == ()


def test_a_runner_that_is_killed_at_any_step_of_handing_over_loses_and_doubles_nothing(shop):
    for point in ("handing", "recorded", "sending", "sent", "noted", "telling", "told"):
        shop.stage.stand_at(point, within=STANDS_WITHIN)
        faults.send(shop.yard.world, signal.SIGKILL)
        shop.stage.go_on()
    assert shop.harm() == ()


def test_the_next_runner_tells_of_what_ended_while_there_was_none(shop):
    # Its end is recorded when the runner is gone, and with it what follows.
    run = stand_at(shop, "executed", "shop.second")
    faults.send(shop.yard.world, signal.SIGKILL)
    shop.stage.go_on()
    shop.wait(lambda: shop.rows("shop.third", parent=run, status="succeeded"), 60)
    assert shop.harm() == ()
