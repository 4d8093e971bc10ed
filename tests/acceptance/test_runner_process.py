"""Real runners on a real database: what they do, and how they end."""

import os
import signal
import time
from itertools import pairwise

import psutil
import pytest

pytestmark = pytest.mark.timeout(180)


def leftovers(folder) -> list[psutil.Process]:
    """Give the processes that the jobs of this site left."""
    found = []
    for process in psutil.process_iter():
        try:
            environment = {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
        except psutil.Error:  # gone between two looks
            continue
        if environment.get("SITE_FOLDER") == str(folder) and "SCHEDULER_BRIDGE_RUN" in environment:
            found.append(process)
    return found


def test_a_job_runs_every_second_inside_the_runner(site):
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(lambda: len(site.trace()) >= 4)
    assert site.stop(runner) == 0
    marks = [line.split() for line in site.trace()]
    assert {int(pid) for _, _, pid in marks} == {runner.pid}
    runs = site.runs("tick", "status", "output", "coalesced")
    assert [status for status, _, _ in runs] == ["succeeded"] * len(marks)
    assert {output for _, output, _ in runs} == {"tick\n"}


@pytest.mark.both_ways
def test_a_chained_job_runs_right_after_its_parent_in_a_process_of_its_own(site):
    site.jobs = ("first",)
    runner = site.start()
    site.wait(lambda: ["succeeded"] in site.runs("second"))
    site.stop(runner)
    cause, output, parent = site.runs("second", "cause", "output", "parent__job__command")[0]
    assert (cause, output, parent) == ("chain", "from the arguments\n", "first")


def test_a_failure_is_recorded_and_mailed(site):
    site.jobs = ("failing",)
    runner = site.start()
    mail = site.wait(lambda: list((site.folder / "mail").glob("*")))
    site.stop(runner)
    text = mail[0].read_text()
    assert "Subject: [Django] tests.acceptance.site.failing failed: " in text
    assert "the till is short" in text
    status, code, output = site.runs("failing", "status", "exit_code", "output")[0]
    assert (status, code) == ("failed", 1)
    assert "ValueError: the till is short" in output


@pytest.mark.both_ways
@pytest.mark.once
def test_a_hanging_job_is_ended_at_its_timeout_and_its_output_kept(site):
    site.jobs = ("hanging",)
    runner = site.start()
    site.wait(lambda: ["timed_out"] in site.runs("hanging"))
    site.stop(runner)
    assert "waiting for an answer" in site.runs("hanging", "output")[0][0]


def test_skips_for_one_reason_share_a_row(site):
    site.jobs = ("skipping",)
    runner = site.start()
    site.wait(lambda: (runs := site.runs("skipping", "coalesced")) and runs[0][0] >= 2)
    site.stop(runner)
    assert site.runs("skipping", "status", "reason") == [["skipped", "no orders"]]


@pytest.mark.both_ways
def test_a_run_asked_for_by_hand_starts_at_once(site):
    runner = site.start()
    site.wait(lambda: "READY" in site.log() or site.query("Runner.objects.exclude(token='').count()"))
    site.manage("scheduledjobs", "run", "second", "--wait")
    site.stop(runner)
    assert site.runs("second", "status", "cause") == [["succeeded", "manual"]]


@pytest.mark.once
def test_an_idle_runner_stops_at_once(site):
    runner = site.start()
    site.wait(lambda: site.query("Runner.objects.exclude(token='').count()"))
    assert site.stop(runner, timeout=site.at_once()) == 0
    assert site.query("Runner.objects.get().token") == ""


@pytest.mark.both_ways
@pytest.mark.once
def test_an_external_run_is_ended_after_the_grace_when_the_runner_stops(site):
    site.jobs = ("long_outside",)
    runner = site.start()
    site.wait(site.trace)
    assert site.stop(runner) == 0
    status, reason, output = site.runs("long_outside", "status", "reason", "output")[0]
    assert (status, reason) == ("cancelled", "the runner was stopped")
    assert output.startswith("begins\n")
    site.wait(lambda: not leftovers(site.folder), 20)  # a supervisor lives a moment longer than its runner


@pytest.mark.once
def test_an_internal_run_past_the_grace_is_abandoned_as_the_runner_stops(site):
    site.jobs = ("long_inside",)
    runner = site.start()
    site.wait(site.trace)
    assert site.stop(runner) == 0
    assert [status for (status,) in site.runs("long_inside")] == ["abandoned"]


@pytest.mark.once
def test_an_internal_run_within_the_grace_is_waited_for(site):
    site.jobs, site.env = ("long_inside",), {"SITE_GRACE": "30"}
    runner = site.start()
    site.wait(site.trace)
    assert site.stop(runner) == 0
    assert [status for (status,) in site.runs("long_inside")] == ["succeeded"]


@pytest.mark.once
def test_a_second_signal_ends_at_once(site):
    site.jobs, site.env = ("long_inside",), {"SITE_GRACE": "60"}
    runner = site.start()
    site.wait(site.trace)
    runner.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert site.stop(runner) == 0
    assert [line.split()[:2] for line in site.trace()] == [["inside", "begins"]]
    assert site.runs("long_inside") == [["abandoned"]]


@pytest.mark.both_ways
def test_a_killed_runner_leaves_no_process_and_its_run_is_abandoned_at_the_next_start(site):
    site.jobs = ("long_outside",)
    runner = site.start()
    site.wait(site.trace)
    runner.kill()
    runner.wait()
    site.wait(lambda: not leftovers(site.folder), 20)
    site.jobs = ()
    again = site.start()
    site.wait(lambda: ["abandoned"] in site.runs("long_outside"))
    site.wait(lambda: list((site.folder / "mail").glob("*")))
    site.stop(again)


def test_a_standby_says_who_is_the_runner_and_takes_over_after_a_clean_stop(site):
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(site.trace)
    standby = site.start()
    site.wait(lambda: f"process {runner.pid} is the runner" in site.log(1))
    site.stop(runner)
    pids = lambda: {line.split()[-1] for line in site.trace()}  # noqa: E731
    site.wait(lambda: str(standby.pid) in pids(), 13)  # a lease that was not given back lasts longer
    site.stop(standby)
    due = [row[0] for row in site.runs("tick", "scheduled_for")]
    assert len(due) == len(set(due))


def test_a_change_in_another_process_acts_at_once(site):
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(site.trace)
    site.query("[job.save() for job in Job.objects.filter(command='tick') if not setattr(job, 'enabled', False)]")
    time.sleep(1.5)
    count = len(site.trace())
    time.sleep(2.5)
    assert len(site.trace()) == count
    site.query("[job.save() for job in Job.objects.filter(command='tick') if not setattr(job, 'enabled', True)]")
    site.wait(lambda: len(site.trace()) > count, 10)
    site.stop(runner)


def test_a_hold_lets_nothing_start_until_resumed(site):
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(site.trace)
    site.manage("scheduledjobs", "hold", "--reason", "stocktaking")
    time.sleep(1.5)
    count = len(site.trace())
    time.sleep(2.5)
    assert len(site.trace()) == count
    site.manage("scheduledjobs", "resume")
    site.wait(lambda: len(site.trace()) > count, 10)
    site.stop(runner)
    assert max(row[0] for row in site.runs("tick", "coalesced")) >= 2


@pytest.mark.both_ways
def test_once_runs_what_is_due_with_what_follows_and_exits(site):
    site.jobs = ("first",)
    site.manage("migrate", "-v0")
    time.sleep(2.5)
    runner = site.start("--once")
    assert runner.wait(60) == 0
    assert site.runs("first") == [["succeeded"]]
    assert site.runs("second") == [["succeeded"]]


@pytest.mark.once
def test_once_ends_though_a_job_takes_longer_than_its_interval(site):
    site.jobs = ("long_inside",)
    site.manage("migrate", "-v0")
    time.sleep(1.5)
    assert site.start("--once").wait(60) == 0
    assert site.runs("long_inside") == [["succeeded"]]


def test_once_beside_a_runner_runs_nothing_and_says_so(site):
    runner = site.start()
    site.wait(lambda: site.query("Runner.objects.exclude(token='').count()"))
    assert site.start("--once").wait(30) == 1
    assert "is the runner since" in site.log(1)
    site.stop(runner)


@pytest.mark.once
def test_newer_code_that_was_migrated_ends_the_runner_with_its_own_exit_code(site):
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(site.trace)
    site.query("(Runner.objects.update(code='newer'), api.announce_change())")
    assert runner.wait(20) == 75


def test_downtime_of_many_fire_times_gives_one_late_run_that_counts_them(site):
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(site.trace)
    runner.kill()
    runner.wait()
    count = len(site.runs("tick"))
    time.sleep(4)
    again = site.start()
    site.wait(lambda: len(site.runs("tick")) > count + 1)
    site.stop(again)
    folded = [number for (number,) in site.runs("tick", "coalesced")]
    assert folded[count] >= 3
    moments = site.query(
        "[r.scheduled_for.timestamp() for r in Run.objects.filter(job__command='tick').order_by('id')]"
    )
    # Each fire time counts once, also where a busy machine made the runner late.
    assert [round(later - earlier) for earlier, later in pairwise(moments)] == [number + 1 for number in folded[1:]]


@pytest.mark.both_ways
@pytest.mark.once
def test_a_hangup_reloads_and_an_idle_runner_writes_nothing(site):
    runner = site.start()
    site.wait(lambda: site.query("Runner.objects.exclude(token='').count()"))
    time.sleep(1)
    before = site.log()
    os.kill(runner.pid, signal.SIGHUP)
    time.sleep(1)
    assert runner.poll() is None
    assert site.log() == before
    site.stop(runner)
