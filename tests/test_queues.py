from datetime import timedelta

import pytest

from scheduler_bridge import api, discovery, history, queues
from scheduler_bridge.models import Cause, Job, Run, Runner, Status
from scheduler_bridge.queues import LATELY, UNSERVED_AFTER, Host, Queue

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def add(me, job, now):
    """Add a run of a job of its own, handed over so many seconds ago."""

    def add(status: str, ago: float, queue: str = "reports", **values) -> Run:
        row = Job.objects.create(name=f"x.{Job.objects.count()}", app="x", command="x", owed_since=now)
        times = {"scheduled_for": now - ago * SECOND, "handed_at": now - ago * SECOND}
        if status == Status.QUEUED:
            times["hand_at"] = now + MINUTE
        run = Run.objects.create(
            job=row, status=status, cause=Cause.SCHEDULE, queue=queue, **{"hand_tries": 1, **times, **values}
        )
        last = {} if status == Status.QUEUED else {"last_run": run}
        open_ = {"handed_run_id": run.pk} if status in {Status.QUEUED, Status.RUNNING} else {}
        Job.objects.filter(pk=row.pk).update(**last, **open_)
        return run

    return add


@pytest.fixture
def busy(add, now):
    """Add a run that goes on, whose worker gave a sign so many seconds ago."""

    def busy(sign: float, host: str = "one", ago: float = 600, **values) -> Run:
        times = {"started_at": now - ago * SECOND, "heartbeat_at": now - sign * SECOND}
        return add(Status.RUNNING, ago, host=host, **times, **values)

    return busy


@pytest.fixture
def done(add, now):
    """Add a run that ended so many seconds ago."""

    def done(ago: float, host: str = "one", status: str = Status.SUCCEEDED, **values) -> Run:
        times = {"started_at": now - (ago + 5) * SECOND, "finished_at": now - ago * SECOND}
        return add(status, ago + 60, host=host, **times, **values)

    return done


def test_without_an_engine_and_without_runs_there_is_nothing(job, now):
    assert not queues.look(now)
    assert (queues.named(), queues.choices()) == ((), ())


def test_what_waits_and_goes_on_is_counted_by_queue(add, busy, now):
    add(Status.QUEUED, 40)
    add(Status.QUEUED, 50)
    add(Status.QUEUED, 9, "mail")
    busy(3)
    found = queues.look(now)
    assert found.queues == (
        Queue(name="mail", waiting=1, waits_since=now - 9 * SECOND),
        Queue(name="reports", waiting=2, running=1, waits_since=now - 50 * SECOND, sign_at=now - 3 * SECOND),
    )
    assert found.queue("mail").waiting == 1
    assert found.queue("other") == Queue(name="other")


def test_the_runners_own_runs_belong_to_no_queue(job, now):
    for status in (Status.QUEUED, Status.RUNNING, Status.SUCCEEDED):
        run = Run.objects.create(job=job, status=status, cause=Cause.MANUAL, scheduled_for=now, host="here")
    Job.objects.filter(pk=job.pk).update(last_run=run)
    assert not queues.look(now)


def test_a_run_that_is_still_to_be_handed_over_does_not_wait_for_a_worker(add, now):
    add(Status.QUEUED, 600, hand_at=None, handed_at=None, hand_tries=0)
    assert queues.look(now).queues == (Queue(name="reports"),)


def test_hosts_are_those_whose_workers_gave_a_sign_lately(busy, done, add, now):
    busy(4, "one")
    busy(2, "one", queue="mail")
    done(90, "two")
    done(LATELY.total_seconds() + 9, "three")
    add(Status.SKIPPED, 5, finished_at=now)
    assert queues.look(now).hosts == (
        Host(name="one", running=2, sign_at=now - 2 * SECOND, queues=("mail", "reports")),
        Host(name="two", running=0, sign_at=now - 90 * SECOND, queues=("reports",)),
    )


def test_a_queue_that_nobody_waits_in_is_served(done, now):
    done(9999)
    assert queues.look(now).unserved == ()


@pytest.mark.parametrize(("waits", "is_served"), [(119, True), (120, False)])
def test_nobody_serves_a_queue_whose_oldest_run_waits_for_two_minutes(add, now, waits, is_served):
    add(Status.QUEUED, waits)
    (queue,) = queues.look(now).queues
    assert (queue.is_served, UNSERVED_AFTER) == (is_served, 2 * MINUTE)
    assert queues.look(now).unserved == (() if is_served else (queue,))


def test_a_worker_that_is_busy_serves_its_queue_however_long_others_wait(add, busy, now):
    add(Status.QUEUED, 900)
    run = busy(4, ago=900)
    assert queues.look(now).unserved == ()
    Run.objects.filter(pk=run.pk).update(heartbeat_at=now - 3 * MINUTE)
    assert [queue.name for queue in queues.look(now).unserved] == ["reports"]


def test_a_worker_that_just_ended_or_skipped_a_run_serves_its_queue(add, done, now):
    add(Status.QUEUED, 900)
    assert queues.look(now).unserved
    done(30)
    assert not queues.look(now).unserved
    Run.objects.filter(status=Status.SUCCEEDED).update(started_at=now - 9 * MINUTE, finished_at=now - 5 * MINUTE)
    assert queues.look(now).unserved
    add(Status.SKIPPED, 600, finished_at=now - 10 * SECOND)
    assert not queues.look(now).unserved


def test_a_run_that_the_runner_gave_up_is_no_sign_of_a_worker(add, done, now):
    add(Status.QUEUED, 900)
    times = {"started_at": now - 9 * MINUTE, "heartbeat_at": now - 4 * MINUTE}
    run = add(Status.ABANDONED, 600, host="one", finished_at=now - 9 * SECOND, **times)
    (queue,) = queues.look(now).unserved
    assert (queue.sign_at, run.host) == (now - 4 * MINUTE, "one")


def test_workers_of_another_queue_do_not_serve_this_one(add, busy, now):
    add(Status.QUEUED, 900)
    busy(1, queue="mail")
    assert [queue.name for queue in queues.look(now).unserved] == ["reports"]


def test_on_hold_no_worker_is_missed(add, now):
    add(Status.QUEUED, 900)
    api.hold("stocktaking")
    assert queues.look(now).unserved == ()
    assert queues.look(now, held=False).unserved
    Runner.objects.update(held=False)
    assert queues.look(now).unserved
    assert queues.look(now, held=True).unserved == ()


def test_a_run_that_a_worker_gave_back_waits_for_nobody_until_it_is_handed_over_again(add, now):
    run = add(Status.QUEUED, 900)
    history.give_back(run.pk)
    (queue,) = queues.look(now).queues
    assert (queue.waits_since, queue.waiting, queue.is_served) == (None, 1, True)
    history.handed(run.pk, now + MINUTE)
    assert queues.look(now).queue("reports").waits_since > now


def test_the_queues_that_code_and_settings_name_are_shown_before_a_run_uses_them(me, tasks, settings, now):
    settings.SCHEDULER_BRIDGE = {
        "TASKS_BACKEND": "engine",
        "OVERRIDES": {"tests.demo.specimen": {"queue": "slow"}, "tests.demo.by_hand": {"queue": None}},
    }
    assert queues.named() == ("slow",)
    assert queues.look(now).queues == (Queue(name="slow"),)
    settings.SCHEDULER_BRIDGE = {**settings.SCHEDULER_BRIDGE, "TASKS_BACKEND": None}
    assert queues.named() == ()


def test_a_job_can_be_sent_to_what_the_engine_is_set_up_for(tasks, settings, monkeypatch):
    settings.SCHEDULER_BRIDGE = {"TASKS_BACKEND": "engine", "OVERRIDES": {"tests.demo.specimen": {"queue": "slow"}}}
    assert queues.choices() == ("mail", "reports")
    settings.TASKS = {"engine": {"BACKEND": settings.TASKS["engine"]["BACKEND"]}}
    assert queues.choices() == ("slow",)


def test_the_run_of_a_job_that_is_handed_over_is_given_while_it_is_open(add, django_assert_num_queries):
    run = add(Status.QUEUED, 5)
    row = Job.objects.get(pk=run.job_id)
    assert queues.handed_run(row) == run
    Run.objects.update(status=Status.CANCELLED)
    assert queues.handed_run(row) is None
    row.handed_run_id = None
    with django_assert_num_queries(0):
        assert queues.handed_run(row) is None


@pytest.mark.parametrize("count", [1, 300])
def test_all_is_read_in_two_statements_and_one_for_the_hold(add, now, count, django_assert_num_queries, tasks):
    discovery.discover()
    run = add(Status.QUEUED, 5)
    rows = [Job(name=f"y.{number}", app="y", command="y", owed_since=now) for number in range(count)]
    Job.objects.bulk_create(rows)
    ids = Job.objects.filter(app="y").values_list("pk", flat=True)
    values = {"status": Status.QUEUED, "cause": Cause.SCHEDULE, "queue": "reports", "hand_at": now, "handed_at": now}
    Run.objects.bulk_create(Run(job_id=pk, scheduled_for=now, **values) for pk in ids)
    with django_assert_num_queries(3):
        found = queues.look(now)
    assert (found.queues[0].waiting, run.queue) == (count + 1, "reports")
    with django_assert_num_queries(2):
        queues.look(now, held=False)
