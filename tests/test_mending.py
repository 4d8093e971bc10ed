"""What is lost beside a run's own row is made good: a job whose record was refused for it would never run again."""

import logging
from dataclasses import replace
from datetime import timedelta
from importlib import import_module

import pytest
from django.db import IntegrityError, connection
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler_bridge import history, ledger
from scheduler_bridge.execution.outcome import Outcome
from scheduler_bridge.history import Firing
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Hold, Job, Run, Status

pytestmark = pytest.mark.django_db(transaction=True)  # most keys are looked at when a transaction is committed
GOOD = Outcome(status=Status.SUCCEEDED, exit_code=0, output="fine\n")
CLOSE = import_module("scheduler_bridge.history.close")
MINUTE = timedelta(minutes=1)
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="sequences are PostgreSQL's")


@pytest.fixture
def firing(job, me, now):
    return Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now)


def claim(firing: Firing, me: Identity) -> Run | None:
    return history.claim(firing, me, firing.fire_time, firing.fire_time + MINUTE)


def queued(job: Job, now) -> Firing:
    run = history.enqueue(job, now, requested_by="pat", delay=timedelta(0), forced=False)
    return Firing(job_id=job.pk, name=job.name, cause=Cause.MANUAL, fire_time=now, run_id=run.pk)


def put_back(*tables: str) -> None:
    """Let the sequences of these tables begin anew, as after a copy of the rows alone."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), min(id), false) FROM {table}")


def test_a_job_whose_row_of_the_ledger_was_deleted_runs_and_has_it_again(firing, me, caplog):
    DjangoJob.objects.all().delete()
    assert claim(firing, me).status == Status.RUNNING
    assert DjangoJob.objects.filter(id=firing.name).exists()
    assert DjangoJobExecution.objects.filter(job_id=firing.name).count() == 1
    assert "lacked demo.specimen: its row is made anew" in caplog.text


def test_one_asked_for_by_hand_too(job, firing, me, now):
    asked = queued(job, now)
    DjangoJob.objects.all().delete()
    assert claim(asked, me).status == Status.RUNNING
    assert DjangoJobExecution.objects.filter(job_id=firing.name).exists()


def test_a_worker_of_an_engine_too(job, firing, me, now):
    run_id = history.hand_over(firing, me, "reports", now, None)
    DjangoJob.objects.all().delete()
    assert history.take_up(replace(firing, run_id=run_id), None, me, now, None).status == Status.RUNNING
    assert DjangoJobExecution.objects.filter(job_id=firing.name).exists()


def test_a_run_ends_though_the_ledger_was_emptied_meanwhile(firing, me, now):
    run = claim(firing, me)
    DjangoJob.objects.all().delete()
    history.close(run, GOOD, now, next_jobs=(), mail=False)
    assert Run.objects.get().status == Status.SUCCEEDED


def test_a_job_that_was_deleted_after_the_gate_leaves_no_run(job, firing, me, now):
    handed = history.enqueue(job, now, requested_by="", delay=timedelta(0), forced=False).pk
    job.delete()
    assert claim(firing, me) is None
    assert claim(replace(firing, run_id=handed), me) is None
    assert history.hand_over(firing, me, "reports", now, None) is None
    history.skip(firing, me, "should_run said no", now, None)
    assert not Run.objects.exists()


@pytest.mark.parametrize("act", ["claim", "hand over", "skip", "take up"])
def test_only_a_run_with_its_key_covers_a_fire_time_and_the_job_is_moved_on(firing, me, now, job, act):
    history.close(claim(firing, me), GOOD, now, next_jobs=(), mail=False)
    before = replace(firing, fire_time=now - MINUTE)
    waiting = history.hand_over(before, me, "reports", now, None) if act == "take up" else None
    if act == "take up":
        Job.objects.filter(pk=job.pk).update(last_fire_at=None)
        waiting = history.hand_over(before, me, "reports", now, None)
        taken = history.take_up(replace(before, run_id=waiting), firing, me, now, now + MINUTE)
        assert (taken.status, taken.scheduled_for) == (Status.RUNNING, before.fire_time)
    Job.objects.filter(pk=job.pk).update(last_fire_at=None if act != "take up" else now)
    if act == "claim":
        assert claim(firing, me) is None
    if act == "hand over":
        assert history.hand_over(firing, me, "reports", now, now + MINUTE) is None
    if act == "skip":
        history.skip(firing, me, "should_run said no", now, now + MINUTE)
    job.refresh_from_db()
    assert job.last_fire_at == now
    assert Run.objects.filter(scheduled_for=now).count() == 1


def test_what_cannot_be_made_good_is_raised(firing, me, monkeypatch):
    def refuse(*words):
        raise IntegrityError("some other key")

    monkeypatch.setattr(import_module("scheduler_bridge.history.claim"), "_make", refuse)
    with pytest.raises(IntegrityError, match="some other key"):
        claim(firing, me)
    assert not Run.objects.exists()


@on_postgresql
def test_runs_go_on_though_their_sequence_stands_behind_them(job, firing, me, now, caplog):
    for number in range(5):
        history.close(claim(replace(firing, fire_time=now + number * MINUTE), me), GOOD, now, next_jobs=(), mail=False)
    put_back("scheduler_bridge_run", "django_apscheduler_djangojobexecution")
    later = replace(firing, fire_time=now + 9 * MINUTE)
    assert claim(later, me).status == Status.RUNNING
    assert DjangoJobExecution.objects.filter(run_time=later.fire_time).exists()
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text for text in warned if text.startswith("the sequence of scheduler_bridge_run stood behind its rows")]


@on_postgresql
def test_a_sequence_of_the_ledger_alone_loses_no_execution(firing, me, now):
    history.close(claim(firing, me), GOOD, now, next_jobs=(), mail=False)
    put_back("django_apscheduler_djangojobexecution")
    later = replace(firing, fire_time=now + MINUTE)
    assert claim(later, me).status == Status.RUNNING
    assert DjangoJobExecution.objects.filter(run_time=later.fire_time).exists()


@on_postgresql
@pytest.mark.parametrize("act", ["skip", "hand over", "ask", "chain"])
def test_every_other_record_goes_on_too(job, firing, me, now, act):
    run, later = claim(firing, me), replace(firing, fire_time=now + MINUTE)
    if act != "chain":
        history.close(run, GOOD, now, next_jobs=(), mail=False)
    put_back("scheduler_bridge_run")
    if act == "skip":
        history.skip(later, me, "should_run said no", now, None)
    if act == "hand over":
        assert history.hand_over(later, me, "reports", now, None)
    if act == "ask":
        assert queued(job, now).run_id != run.pk
    if act == "chain":
        assert len(history.close(run, GOOD, now, next_jobs=(job.name,), mail=False)) == 1
    assert Run.objects.count() == 2


@on_postgresql
def test_each_table_of_ours_is_looked_after(now, caplog):
    Hold.objects.create(begun_at=now)
    put_back("scheduler_bridge_hold")
    assert history.mended((), IntegrityError("duplicate key"))
    Hold.objects.create(begun_at=now)
    assert not history.mended((), IntegrityError("duplicate key"))


def test_nothing_is_made_good_where_nothing_is_missing(firing):
    assert ledger.missing([firing.name, "demo.none"], "default") == ("demo.none",)
    assert not history.mended([firing.name], IntegrityError("duplicate key"))


def test_an_end_that_is_refused_in_part_is_recorded_in_the_other_parts(job, firing, me, now, monkeypatch, caplog):
    def refuse(*words):
        raise IntegrityError("some other key")

    run = claim(firing, me)
    monkeypatch.setattr(CLOSE, "chain", refuse)
    bad = replace(GOOD, status=Status.FAILED, exit_code=3, reason="exit code 3")
    assert history.close(run, bad, now, next_jobs=(job.name,), mail=True) == ()
    stored = Run.objects.get()
    assert (stored.status, stored.exit_code, stored.report) == (Status.FAILED, 3, "due")
    job.refresh_from_db()
    assert job.failing_since == now
    assert "what follows (demo.specimen) is not recorded" in caplog.text


@pytest.mark.parametrize("is_all", [False, True])
def test_an_outcome_whose_text_is_refused_is_recorded_without_it(firing, me, now, monkeypatch, caplog, is_all):
    real = CLOSE._write

    def picky(run, columns, outcome, moment):
        if is_all or "fine" in columns["output"]:
            raise ValueError("cannot be stored")
        return real(run, columns, outcome, moment)

    run = claim(firing, me)
    monkeypatch.setattr(CLOSE, "_write", picky)
    history.close(run, GOOD, now, next_jobs=(), mail=False)
    stored = Run.objects.get()
    assert (stored.status, stored.exit_code) == (Status.SUCCEEDED, 0)
    assert stored.output == "[what this run printed is not kept: ValueError: cannot be stored]"
    assert "it is recorded otherwise: ValueError: cannot be stored" in caplog.text
