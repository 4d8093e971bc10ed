"""Two hosts and the network between them and the database: one active runner at any moment, by the trace."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import pairwise

import psutil
import pytest

from scheduler_bridge.lease import EXPIRES_AFTER
from tests.chaos import servers
from tests.chaos.plan import Specimen
from tests.chaos.world import settled

from . import audit
from .hosts import two_hosts
from .network import lacking

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif("postgres" not in servers.engines(), reason="PostgreSQL is not installed here"),
    pytest.mark.skipif(bool(lacking()), reason=lacking() or "there is a network"),
]
JOBS = (
    Specimen(command="inside", internal=True, every=2, lasts=0.2),
    Specimen(command="outside", internal=False, every=3, lasts=0.3),
    Specimen(command="long_inside", internal=True, lasts=60),
    Specimen(command="long_outside", internal=False, lasts=60, timeout=90),  # it may end only with its runner
)
TAKEN_WITHIN = EXPIRES_AFTER + 2.0  # seconds after the link is cut, on a machine that does everything at once
STEPS = 5  # from the last heartbeat until this test knows, each of which a machine with much to do may be late with
BACK_WITHIN = 60.0  # seconds after the link is healed: a connection tries again with growing pauses
SOON = 60.0  # seconds for what is only to happen before the test goes on


@pytest.fixture
def stage(tmp_path_factory):
    """The two hosts, which are switched off."""
    with two_hosts(tmp_path_factory.mktemp("hosts"), JOBS) as stage:
        yield stage


def switch_on(stage, **variables: str) -> None:
    """Switch both hosts on, "one" as the runner and "two", with these variables, as one who is seen waiting."""
    client, hosts = stage.world.client, stage.world.keeper
    hosts.start("one")
    stage.wait(lambda: active(stage) == "one", SOON)
    hosts.start("two", **variables)
    stage.wait(lambda: client.insist("waiting_hosts") == ["two"], SOON)
    stage.wait(lambda: {"shop.inside", "shop.outside"} <= stage.begun(0.0), SOON)
    beat(stage)


def active(stage) -> str | None:
    return stage.world.client.insist("holding_host")


def beat(stage) -> None:
    """Wait until the runner has renewed its lease."""
    before = stage.world.client.insist("heartbeat")
    stage.wait(lambda: stage.world.client.insist("heartbeat") != before, SOON)


def begin(stage, job: str) -> None:
    """Let the runner be busy with this job, or with none."""
    if job == "nothing":
        stage.wait(lambda: stage.world.client.insist("is_idle"), SOON)
        return
    begun = time.time()
    stage.world.run_now(f"shop.{job}", 0)
    stage.wait(lambda: f"shop.{job}" in stage.begun(begun), SOON)


def see_taken_over(stage, before: str, what: str) -> None:
    """Wait until the other host has taken over, in time but for what this machine is late with everything."""
    begun = asked = time.monotonic()
    late = 0.0
    while active(stage) in (None, before):
        assert time.monotonic() - begun < SOON
        time.sleep(0.05)
        late, asked = max(late, time.monotonic() - asked), time.monotonic()
    took = time.monotonic() - begun
    print(f"TAKEN OVER: {what}: {took:.1f} s, where one question took up to {late:.2f} s")
    assert took < TAKEN_WITHIN + STEPS * late


def lives(process: psutil.Process) -> bool:
    """Tell whether a process is there; one that has ended may wait a moment for its parent."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def is_back(stage, host: str, old) -> bool:
    """Tell whether another process than the old one waits on this host."""
    return not lives(old) and host in stage.world.client.insist("waiting_hosts")


@pytest.mark.parametrize("way", ["down", "silent"])
def test_a_runner_that_is_cut_off_ends_what_it_runs_before_another_takes_over_and_comes_back(stage, way):
    switch_on(stage)
    hosts = stage.world.keeper
    for job in ("long_outside", "long_inside", "nothing"):
        before = active(stage)
        old, ended = hosts.runner(before), hosts.exits(before)
        begin(stage, job)
        hosts.links[before].cut(way)
        see_taken_over(stage, before, f"{way}, {job}")
        assert lives(old) == (job == "nothing")
        taken = time.time()
        stage.wait(partial(stage.begun, taken), SOON)
        hosts.links[before].heal()
        healed = time.monotonic()
        stage.wait(partial(is_back, stage, before, old), BACK_WITHIN)
        print(f"BACK: {way}, {job}: {time.monotonic() - healed:.1f} s")
        assert hosts.exits(before) - ended == {70: 1}
        beat(stage)
    assert stage.log().count("is given up, as the lease could not be renewed for 12") == 2
    assert (*settled(stage.world), *audit.audit(stage.world.evidence())) == ()


@pytest.mark.parametrize("ahead", [60, -60])
def test_hosts_whose_clocks_differ_by_a_minute_take_over_only_from_a_dead_one(stage, ahead):
    switch_on(stage, SITE_AHEAD=str(ahead))
    hosts = stage.world.keeper
    time.sleep(EXPIRES_AFTER + 2)
    assert active(stage) == "one"
    assert hosts.exits("one") + hosts.exits("two") == {}
    begin(stage, "long_outside")
    hosts.unplug("one")
    see_taken_over(stage, "one", f"unplugged, clock off by {ahead} s")
    taken = time.time()
    stage.wait(lambda: {"shop.inside", "shop.outside"} <= stage.begun(taken), SOON)
    print(f"GOES ON: clock off by {ahead} s: after {time.time() - taken:.1f} s")
    stage.world.switch_off_all()
    stage.wait(lambda: not stage.world.client.insist("running"), SOON)
    stage.world.keeper.stop()
    evidence = corrected(stage.world.evidence(), timedelta(seconds=ahead))
    checks = (audit.open_rows, audit.doubles, audit.executions, audit.overlaps, audit.mails, audit.ledger)
    assert [line for check in checks for line in check(evidence)] == []
    for job in JOBS[:2]:
        rows = [row for row in evidence.rows if row.job == job.name and row.started_at]
        assert len({row.scheduled_for for row in rows}) == len(rows)
        for before, after in pairwise(rows):  # none is left out; behind a clock that was ahead the grid begins anew
            step = after.scheduled_for - before.scheduled_for
            assert step == timedelta(seconds=job.every) * (after.coalesced + 1) or (step.total_seconds() < 0 > ahead)


def corrected(evidence, ahead: timedelta):
    """Give the history with the moments of the second runner as a right clock says them."""
    first = evidence.rows[0].marker.partition("/")[0]

    def right(row):
        if row.started_at is None or row.marker.startswith(first):
            return row
        return replace(row, started_at=row.started_at - ahead, finished_at=row.finished_at - ahead)

    return replace(evidence, rows=tuple(right(row) for row in evidence.rows))
