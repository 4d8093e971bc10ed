from datetime import timedelta

import pytest

from scheduler_bridge import past
from scheduler_bridge.models import Cause, Job, Run, Status


@pytest.fixture
def jobs(db):
    return [Job.objects.create(name=f"shop.job{number}", app="shop", command=f"job{number}") for number in range(3)]


@pytest.fixture
def add(now):
    def add(job, status=Status.SUCCEEDED, seconds=1.0, **values):
        spans = {"started_at": now, "finished_at": now + timedelta(seconds=seconds)}
        given = {"cause": Cause.SCHEDULE, "scheduled_for": now, **({} if status == Status.SKIPPED else spans)}
        return Run.objects.create(**{"job": job, "status": status, **given, **values})

    return add


def test_the_last_runs_of_many_jobs_cost_one_statement(jobs, add, django_assert_num_queries):
    for number in range(30):
        add(jobs[0], seconds=number)
    add(jobs[1])
    with django_assert_num_queries(1):
        found = past.recent([job.pk for job in jobs], 20)
    assert [run.took.total_seconds() for run in found[jobs[0].pk]] == [*range(29, 9, -1)]
    assert (len(found[jobs[1].pk]), jobs[2].pk in found) == (1, False)


def test_more_jobs_than_a_statement_takes_are_read_in_several(jobs, add, monkeypatch):
    monkeypatch.setattr(past, "BATCH", 2)
    runs = [add(job) for job in jobs]
    found = past.recent([job.pk for job in jobs])
    assert sorted(run.run_id for last in found.values() for run in last) == [run.pk for run in runs]


def test_moments_are_those_that_the_models_give(jobs, add, now):
    add(jobs[0])
    (run,) = past.recent([jobs[0].pk])[jobs[0].pk]
    assert (run.scheduled_for, run.started_at, run.took) == (now, now, timedelta(seconds=1))


def test_what_is_usual_leaves_out_what_did_not_run(jobs, add, now):
    for seconds in range(1, 20):
        add(jobs[0], seconds=seconds)
    add(jobs[0], Status.FAILED, 100)
    add(jobs[0], Status.SKIPPED, coalesced=4, finished_at=now)
    add(jobs[0], Status.CANCELLED, 900)
    add(jobs[0], Status.RUNNING, finished_at=None)
    usual = past.usual(past.recent([jobs[0].pk], 50)[jobs[0].pk])
    assert (usual.median, usual.p95) == (timedelta(seconds=10), timedelta(seconds=19))
    assert (usual.count, usual.success_rate, usual.skipped) == (20, 0.95, 0.2)


def test_nothing_is_usual_without_runs():
    usual = past.usual([])
    assert (usual.count, usual.median, usual.success_rate, usual.skipped) == (0, None, None, 0.0)
