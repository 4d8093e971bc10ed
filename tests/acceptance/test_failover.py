"""The database fails over to its replica while jobs run: what is lost is what PostgreSQL lost."""

import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest

from tests.chaos import faults, servers
from tests.chaos.world import settled, suffered

from .audit import audit
from .replica import replicated
from .stage import JOBS, Stage, readable

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif("postgres" not in servers.engines(), reason="PostgreSQL is not installed here"),
]
RANDOM = Random(1)


@pytest.fixture
def stage(tmp_path_factory):
    """A site with two runners, on a database with a replica; both know where both are."""
    folder = tmp_path_factory.mktemp("failover")
    readable(folder)
    with replicated(folder) as pair, suffered(folder, pair, os.environ.get("SITE_SPAWN", "auto"), JOBS, 4) as world:
        world.keeper.start()
        stage = Stage(world)
        stage.see_all_run()
        yield stage


@pytest.mark.parametrize("point", ["outside", "executed"])
def test_with_a_synchronous_replica_nothing_is_lost_and_the_runner_goes_on(stage, point):
    stage.world.server.be_synchronous()
    stage.see_all_run()
    holder = stage.world.client.insist("holder")
    stage.stand_at(point)
    before = stage.world.evidence()
    stage.world.server.fail_over()
    stage.go_on()
    stage.see_all_run()
    assert stage.world.client.insist("holder") == holder
    assert stage.harm() == ()
    assert lost(before, stage.world.evidence()) == []
    assert stage.world.keeper.exits.keys() <= {0}


@pytest.fixture
def behind(stage):
    """The same, with a replica that hears nothing more since the middle of a run; another one is going on now."""
    stage.stand_at("outside")
    stage.world.server.fall_behind()
    stage.go_on()
    stage.see_all_run()
    stage.stand_at("outside")
    return stage


def test_what_a_replica_has_not_heard_is_lost_no_more_and_what_is_in_doubt_is_reported(behind):
    holder = behind.world.client.insist("holder")
    before = behind.world.evidence()
    begun = datetime.now(UTC)
    behind.world.server.fail_over()
    behind.go_on()
    behind.see_all_run()
    assert behind.world.client.insist("holder") == holder
    settled(behind.world)
    after = behind.world.evidence()
    gone = lost(before, after)
    # The run that was going on has lost its row: how it ended is in the log, and it is not run again.
    (current,) = (row for row in gone if row.status == "running")
    assert f"run {current.id} succeeded, which is not recorded: expected a running run, got none" in behind.log()
    # The run whose end was lost says so, and a mail does.
    (doubtful,) = (row for row in after.rows if row.status == "abandoned")
    assert {row.id: row.status for row in before.rows}[doubtful.id] == "succeeded"
    assert f"run {doubtful.id} abandoned" in behind.log()
    assert doubtful.id in after.mailed
    # With the rows that PostgreSQL lost put back there is nothing else that is missing, or that was run twice.
    rows = (
        *after.rows,
        *(replace(row, status="succeeded", finished_at=begun) if row is current else row for row in gone),
    )
    known = {(item.job, item.fire_time) for item in after.ledger}
    ledger = [item for item in before.ledger if (item.job, item.fire_time) not in known]
    ledger = [replace(item, status="Executed") if item.fire_time == current.scheduled_for else item for item in ledger]
    whole = replace(after, rows=tuple(sorted(rows, key=lambda row: row.id)), ledger=(*after.ledger, *ledger))
    assert audit(whole) == ()
    assert behind.world.keeper.exits.keys() <= {0}


def test_a_runner_that_starts_on_the_replica_runs_late_and_once_what_was_lost(behind):
    before = behind.world.evidence()
    faults.cut_the_power(behind.world, RANDOM)
    behind.world.server.fail_over()
    behind.go_on()
    behind.see_all_run()
    harm = (*settled(behind.world), *audit(behind.world.evidence()))
    gone = lost(before, behind.world.evidence())
    # Each that was executed is seen in the trace, and its row is not: that is what PostgreSQL lost, and all that is.
    assert all("expected one run for it, got []" in line for line in harm)
    assert Counter(line.split(": ")[1] for line in harm) == Counter(row.job for row in gone if row.started_at)
    assert len(harm) >= 3


def lost(before, after):
    """Give the rows that were there before and are not after."""
    there = {row.id for row in after.rows}
    return [row for row in before.rows if row.id not in there]
