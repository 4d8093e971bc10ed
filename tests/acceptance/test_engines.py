"""External jobs that the workers of an engine perform: whatever the runner promises of its own runs holds for these."""

import os
import time
from datetime import timedelta
from typing import Any

import pytest

from tests.chaos.world import moment

pytestmark = pytest.mark.timeout(600)
HOST = os.uname().nodename


def test_a_run_is_performed_by_a_worker_and_recorded_with_its_output_exit_code_and_host(shop):
    row = shop.until(shop.run("shop.loud"), "succeeded", 40)
    assert (row["exit_code"], row["host"], row["queue"]) == (0, HOST, "reports")
    assert row["hand_tries"] <= 1  # it is counted after the message is out: a worker may have the run by then
    assert row["output"].startswith("xxx")
    assert row["cpu_seconds"] > 0
    assert shop.performed(row["id"]) == 1


def test_a_run_that_fails_is_recorded_with_its_exit_code_and_mailed(shop):
    run = shop.run("shop.leaving")
    row = shop.until(run, "failed", 30)
    assert (row["exit_code"], row["queue"]) == (3, "exports")
    shop.wait(lambda: shop.row(run)["report"] == "sent", 10)
    assert "shop.leaving failed" in (shop.yard.world.folder / "mails").read_text()


def test_a_run_past_its_timeout_is_ended_with_all_its_processes(shop):
    row = shop.until(shop.run("shop.hanging"), "timed_out", 40)
    assert shop.processes(row["marker"]) == 0
    assert "sleep 61" in row["output"]


def test_what_a_run_prints_can_be_read_while_it_goes_on(shop):
    run = shop.run("shop.loud")
    row = shop.wait(lambda: (found := shop.row(run))["output"] and found, 30)
    assert row["status"] == "running"
    shop.until(run, "succeeded", 20)


def test_a_job_that_has_nothing_to_do_is_skipped_by_the_worker_and_says_so(shop):
    def refused() -> list[dict[str, Any]]:  # other skips are due to the audit before, which disables the jobs
        return [row for row in shop.rows("shop.asks", status="skipped") if row["reason"] == "should_run said no"]

    assert {row["queue"] for row in shop.wait(refused, 60)} == {"exports"}
    count = len(shop.rows("shop.asks", status="succeeded"))
    shop.wait(lambda: len(shop.rows("shop.asks", status="succeeded")) > count, 60)


def test_a_run_that_waits_for_a_worker_is_cancelled_and_never_performed(shop):
    shop.yard.crew.rest()
    run = shop.run("shop.errand1")
    shop.wait(lambda: run in shop.yard.ask("waiting"), 10)
    assert shop.yard.ask("cancel", run=run) == "cancelled"
    shop.yard.crew.work()
    later = shop.run("shop.errand1")
    shop.until(later, "succeeded", 40)
    assert (shop.row(run)["status"], shop.row(run)["reason"]) == ("cancelled", "cancelled by alice")
    assert shop.performed(later) == 1


def test_a_run_that_a_worker_performs_is_ended_when_somebody_cancels_it(shop):
    run = shop.run("shop.long1")
    marker = shop.until(run, "running", 30)["marker"]
    shop.wait(lambda: shop.performed(run), 30)  # the worker may have to load the project before
    shop.yard.ask("cancel", run=run)
    row = shop.until(run, "cancelled", 10)
    assert moment(row["finished_at"]) - moment(row["cancel_at"]) < timedelta(seconds=8)
    assert row["reason"] == "cancelled by alice"
    assert shop.processes(marker) == 0


def test_a_chain_goes_from_the_runner_to_the_engine_and_back(shop):
    shop.until(shop.run("shop.first"), "succeeded", 20)
    second = shop.wait(lambda: shop.rows("shop.second")[-1:], 10)[0]
    shop.until(second["id"], "succeeded", 30)
    third = shop.wait(lambda: shop.rows("shop.third", parent=second["id"]), 10)[0]
    done = shop.until(third["id"], "succeeded", 10)
    assert (second["cause"], done["cause"], done["queue"]) == ("chain", "chain", "")


def test_nothing_is_started_by_a_worker_while_everything_is_on_hold(shop):
    shop.yard.crew.rest()
    run = shop.run("shop.errand2")
    shop.wait(lambda: run in shop.yard.ask("waiting"), 10)
    shop.yard.ask("hold")
    shop.yard.crew.work()
    shop.wait(lambda: shop.row(run)["handed_at"] is None, 30)  # a worker has taken its message, and given the run back
    time.sleep(3)
    assert shop.row(run)["status"] == "queued"
    shop.yard.ask("resume", pending="run")
    shop.until(run, "succeeded", 30)
    assert shop.performed(run) == 1


def test_a_queue_that_nobody_serves_is_seen(shop):
    shop.wait(lambda: shop.manage("scheduledjobs", "status")[0] == 0, 30)  # workers may just have been without work
    run = shop.run("shop.unserved")
    _, text = shop.wait(lambda: (found := shop.manage("scheduledjobs", "status"))[0] == 3 and found, 60)
    assert "nobody serves queue nobody: a run waits for a worker since" in text
    assert "nobody serves queue reports" not in text
    assert "nobody serves queue nobody" in shop.manage("scheduledjobs", "why", "shop.unserved")[1]
    shop.yard.ask("cancel", run=run)
    assert shop.manage("scheduledjobs", "status")[0] == 0


def test_a_job_that_is_due_again_while_a_worker_has_it_runs_never_twice_at_once_and_counts_what_it_left_out(shop):
    shop.wait(lambda: any(row["coalesced"] for row in shop.rows("shop.slow", status="succeeded")), 60)
    rows = [row for row in shop.rows("shop.slow") if row["started_at"]]
    ends = [row["finished_at"] for row in rows[:-1]]
    starts = [row["started_at"] for row in rows[1:]]
    assert all(end <= start for end, start in zip(ends, starts, strict=True))
    assert shop.harm() == ()
