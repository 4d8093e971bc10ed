import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from scheduler_bridge import history, lease
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Job, Run, Runner, Status

pytestmark = pytest.mark.django_db


@pytest.fixture
def said(capsys):
    def say(*words: str) -> str:
        call_command("scheduledjobs", *words)
        return capsys.readouterr().out

    return say


def test_every_job_is_listed_with_its_schedule_and_where_it_comes_from(said):
    lines = said().splitlines()
    (line,) = [line for line in lines if "tests.demo.specimen" in line]
    assert line.split()[:5] == ["tests.demo.specimen", "yes", "every", "30", "minutes"]
    assert "code" in line
    assert said("list") == said()


def test_the_list_is_there_for_programs(said):
    entries = {entry["name"]: entry for entry in json.loads(said("list", "--json"))}
    entry = entries["tests.demo.specimen"]
    assert (entry["enabled"], entry["schedule"], entry["source"]) == (True, "every 30 minutes", "code")


def test_a_job_is_queued_under_its_short_name_too(said):
    assert "tests.demo.specimen is queued" in said("run", "specimen")
    assert Run.objects.get().status == Status.QUEUED


def test_an_unknown_or_disabled_job_is_an_error(said):
    with pytest.raises(CommandError, match="expected the name of a job"):
        said("run", "nothing")
    Job.objects.update(enabled=False)
    with pytest.raises(CommandError, match="disabled"):
        said("run", "specimen")
    said("run", "specimen", "--force")
    assert Run.objects.get().forced


@pytest.mark.parametrize(("status", "code"), [(Status.SUCCEEDED, None), (Status.FAILED, 1), (Status.SKIPPED, 1)])
def test_waiting_shows_the_output_and_ends_as_the_run_did(said, monkeypatch, status, code, capsys):
    def end(seconds):
        Run.objects.update(status=status, output="the output\n", reason="a reason")

    monkeypatch.setattr("scheduler_bridge.management.commands.scheduledjobs.time.sleep", end)
    if code is None:
        assert said("run", "specimen", "--wait") == "the output\n"
    else:
        with pytest.raises(SystemExit) as caught:
            said("run", "specimen", "--wait")
        assert caught.value.code == code
        assert "the output\n" in capsys.readouterr().out


def test_why_names_the_gate_that_stops_the_job(said):
    Runner.objects.update(token="")
    assert said("why", "specimen").startswith("tests.demo.specimen: no runner is alive")
    assert json.loads(said("why", "specimen", "--json"))["stop"] == "runner"


def test_hold_and_resume(said):
    said("hold", "--reason", "stocktaking")
    assert Runner.objects.get().held_reason == "stocktaking"
    said("resume", "--pending", "skip")
    assert not Runner.objects.get().held


def test_status_ends_with_two_when_no_runner_is_alive(said, capsys):
    Runner.objects.update(token="")
    with pytest.raises(SystemExit) as caught:
        said("status")
    assert caught.value.code == 2
    assert "no runner is alive" in capsys.readouterr().out


def test_status_ends_with_zero_when_one_is(said):
    Runner.objects.update(token="")
    lease.acquire(Identity.mine(), None, datetime.now(UTC))
    assert said("status").startswith("alive: ")
    assert json.loads(said("status", "--json"))["alive"]


def test_status_ends_with_four_when_a_job_is_due_and_does_not_start(said, capsys):
    Runner.objects.update(token="", held=False)
    now = datetime.now(UTC)
    lease.acquire(Identity.mine(), None, now - timedelta(hours=1))
    Runner.objects.update(heartbeat_at=now)
    Job.objects.update(next_run_at=None)
    Job.objects.filter(name="tests.demo.specimen").update(next_run_at=now - timedelta(minutes=5))
    with pytest.raises(SystemExit) as caught:
        said("status")
    assert caught.value.code == 4
    assert "tests.demo.specimen: due since" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        said("status", "--json")
    assert [job["name"] for job in json.loads(capsys.readouterr().out)["stuck"]] == ["tests.demo.specimen"]
    Runner.objects.update(held=True)
    assert "on hold" in said("status")


def test_commands_that_are_no_jobs_are_listed(said):
    assert "tests.demo.no_job" in said("unscheduled").splitlines()
    assert "tests.demo.specimen" not in json.loads(said("unscheduled", "--json"))


def test_pruning_says_how_many_it_deleted(capsys, monkeypatch):
    monkeypatch.setattr(history, "prune", lambda now, age, keep: age.days + keep)
    call_command("pruneruns", age_days=30, keep=5)
    assert capsys.readouterr().out == "35 runs deleted\n"
    call_command("pruneruns")
    assert capsys.readouterr().out == "110 runs deleted\n"


# Queues


@pytest.fixture
def handed(tasks):
    """A run that waits for a worker so many minutes."""
    Runner.objects.update(token="", held=False)
    lease.acquire(Identity.mine(), None, datetime.now(UTC))
    Job.objects.filter(name="tests.demo.specimen").update(override_queue="reports")

    def hand(minutes: float) -> Run:
        job = Job.objects.get(name="tests.demo.specimen")
        since = datetime.now(UTC) - timedelta(minutes=minutes)
        times = {"scheduled_for": since, "handed_at": since, "hand_at": since, "hand_tries": 1}
        run = Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.SCHEDULE, queue="reports", **times)
        Job.objects.filter(pk=job.pk).update(handed_run_id=run.pk)
        return run

    return hand


def test_status_shows_queues_and_hosts(said, handed):
    handed(1)
    job = Job.objects.get(name="tests.demo.by_hand")
    now = datetime.now(UTC)
    times = {"scheduled_for": now, "started_at": now, "heartbeat_at": now}
    Run.objects.create(job=job, status=Status.RUNNING, cause=Cause.MANUAL, queue="mail", host="far", **times)
    lines = [line.split() for line in said("status").splitlines()]
    assert lines[1] == ["queue", "waiting", "running", "oldest", "waits", "since", "last", "sign", "of", "a", "worker"]
    assert (lines[2][:4], lines[3][:3]) == (["mail", "0", "1", "-"], ["reports", "1", "0"])
    assert (lines[4], lines[5][:2], lines[5][-1]) == (
        ["host", "running", "last", "sign", "queues"],
        ["far", "1"],
        "mail",
    )
    found = json.loads(said("status", "--json"))
    assert {queue["name"]: (queue["waiting"], queue["is_served"]) for queue in found["queues"]} == {
        "mail": (0, True),
        "reports": (1, True),
    }
    assert [(host["name"], host["running"], host["queues"]) for host in found["hosts"]] == [("far", 1, ["mail"])]


def test_status_ends_with_three_when_nobody_serves_a_queue(said, handed, capsys):
    handed(3)
    with pytest.raises(SystemExit) as caught:
        said("status")
    assert caught.value.code == 3
    assert "nobody serves queue reports: a run waits for a worker since" in capsys.readouterr().out
    Runner.objects.update(held=True)
    assert "on hold" in said("status")


def test_that_no_runner_is_alive_goes_before_a_queue_that_nobody_serves(said, handed):
    handed(3)
    Runner.objects.update(token="")
    with pytest.raises(SystemExit) as caught:
        said("status")
    assert caught.value.code == 2


def test_status_without_an_engine_says_no_more_than_ever(said, django_assert_num_queries):
    Runner.objects.update(token="", held=False)
    lease.acquire(Identity.mine(), None, datetime.now(UTC))
    assert len(said("status").splitlines()) == 1
    found = json.loads(said("status", "--json"))
    assert (found["queues"], found["hosts"]) == ([], [])


def test_what_was_handed_over_before_the_engine_was_taken_out_is_still_shown(said, handed, settings):
    handed(1)
    settings.SCHEDULER_BRIDGE = {}
    assert "reports" in said("status")


def test_the_list_has_a_column_for_queues_where_a_job_has_one(said, handed):
    head, *lines = said("list").splitlines()
    assert head.split()[-1] == "queue"
    queues = {line.split()[0]: line.split()[-1] for line in lines}
    assert (queues["tests.demo.specimen"], queues["tests.demo.by_hand"]) == ("reports", "-")
    entries = {entry["name"]: entry for entry in json.loads(said("list", "--json"))}
    entry = entries["tests.demo.specimen"]
    assert (entry["queue"], entry["queue_source"]) == ("reports", "database")


def test_the_list_has_no_such_column_where_none_has(said):
    assert "queue" not in said("list").splitlines()[0]


def test_why_tells_for_whom_a_run_waits(said, handed):
    handed(3)
    assert "nobody serves queue reports" in said("why", "specimen").splitlines()[0]
    assert json.loads(said("why", "specimen", "--json"))["stop"] == "queue"
