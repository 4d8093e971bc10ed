"""Pruning at any size: exact, in small steps, and next to nothing when there is nothing to do."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler_bridge import history, ledger
from scheduler_bridge.models import Cause, Job, Run, Status

prune_module = import_module("scheduler_bridge.history.prune")


@pytest.fixture
def old_runs(job, now):
    """Let jobs have so many closed runs each, all due and ended at one old moment."""

    def make(jobs: int, count: int) -> list[Run]:
        Job.objects.bulk_create(Job(name=f"old.j{n}", app="old", command=f"j{n}", owed_since=now) for n in range(jobs))
        moment = now - timedelta(days=200)
        values = {"status": Status.SUCCEEDED, "cause": Cause.SCHEDULE, "scheduled_for": moment, "finished_at": moment}
        rows = Job.objects.filter(app="old")
        return Run.objects.bulk_create([Run(job=row, **values) for _ in range(count) for row in rows])

    return make


@pytest.mark.parametrize("keep", [0, 1, 3, 50])
def test_pruning_in_many_small_steps_is_exact(old_runs, now, monkeypatch, keep):
    monkeypatch.setattr(prune_module, "LOOKED_AT", 7)
    monkeypatch.setattr(prune_module, "PRUNE_BATCH", 4)
    old_runs(3, 10)
    Job.objects.filter(name="old.j1").update(last_run=Run.objects.filter(job__name="old.j1").first())
    kept = {pk for row in Job.objects.all() for pk in row.runs.order_by("-pk").values_list("pk", flat=True)[:keep]}
    assert history.prune(now, timedelta(days=90), keep) == 3 * 10 - len(kept)
    assert set(Run.objects.values_list("pk", flat=True)) == kept
    assert history.prune(now, timedelta(days=90), keep) == 0


@pytest.mark.parametrize("jobs", [1, 60])
def test_pruning_nothing_takes_a_few_statements_however_many_jobs(old_runs, now, jobs, django_assert_max_num_queries):
    old_runs(jobs, 2)
    with django_assert_max_num_queries(3):
        assert history.prune(now, timedelta(days=90), 2) == 0


def test_pruning_never_reads_an_output(old_runs, now):
    old_runs(2, 3)
    with CaptureQueriesContext(connection) as queries:
        assert history.prune(now, timedelta(days=90), 1) == 4
    assert not [query["sql"] for query in queries if "output" in query["sql"]]


def test_what_is_due_later_than_the_age_but_ended_before_is_kept_until_then(job, now):
    ended, due = now - timedelta(days=200), now + timedelta(days=1)
    Run.objects.create(job=job, status=Status.SKIPPED, cause=Cause.MANUAL, scheduled_for=due, finished_at=ended)
    assert history.prune(now, timedelta(days=90), 0) == 0
    assert history.prune(now + timedelta(days=92), timedelta(days=90), 0) == 1


def test_a_pruned_parent_leaves_its_followers(job, now):
    moment = now - timedelta(days=200)
    values = {"job": job, "status": Status.SUCCEEDED, "cause": Cause.CHAIN, "finished_at": moment}
    parent = Run.objects.create(scheduled_for=moment, **values)
    follower = Run.objects.create(scheduled_for=now, parent=parent, **values)
    assert history.prune(now, timedelta(days=90), 1) == 1
    follower.refresh_from_db()
    assert follower.parent is None


def test_the_ledger_is_pruned_by_age(job, now, monkeypatch):
    monkeypatch.setattr(prune_module, "PRUNE_BATCH", 2)
    for days in (200, 150, 91, 89, 1):
        ledger.start(job.name, now - timedelta(days=days), "default")
    history.prune(now, timedelta(days=90), 20)
    assert DjangoJobExecution.objects.count() == 2
    assert DjangoJob.objects.filter(id=job.name).exists()
