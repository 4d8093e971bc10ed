import io
from contextlib import redirect_stdout

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_bridge import deployment, receivers
from scheduler_bridge.models import Job, Run, Runner


def migrate(*words: str) -> str:
    said = io.StringIO()
    with redirect_stdout(said):
        call_command("migrate", *words, verbosity=1, stdout=said)
    return said.getvalue()


def test_a_migrate_creates_the_jobs_and_says_so_once(transactional_db):
    Job.objects.all().delete()
    assert "created job tests.demo.specimen" in migrate()
    assert "job " not in migrate().lower().replace("django_apscheduler", "")


def test_a_migrate_of_another_app_follows_the_code_too(transactional_db):
    Job.objects.all().delete()
    migrate("auth")
    assert Job.objects.filter(name="tests.demo.specimen").exists()


def test_a_flush_sends_fewer_arguments_and_brings_the_jobs_back(transactional_db):
    call_command("flush", interactive=False, verbosity=0)
    assert Job.objects.filter(name="tests.demo.specimen").exists()


def test_another_database_is_left_alone(db):
    Job.objects.all().delete()
    receivers.follow_code(using="other")
    assert not Job.objects.exists()


def test_missing_tables_are_no_error(db, monkeypatch):
    monkeypatch.setattr(deployment, "TABLES", deployment.TABLES | {"not_there_yet"})
    Job.objects.all().delete()
    receivers.follow_code()
    assert not Job.objects.exists()


def test_a_second_look_costs_a_handful_of_statements(db):
    receivers.follow_code(verbosity=0)
    with CaptureQueriesContext(connection) as queries:
        receivers.follow_code(verbosity=0)
    assert len(queries) <= 12


def test_older_code_notices_what_was_migrated(db, now):
    deployment.follow(now)
    assert not deployment.is_outdated()
    Runner.objects.update(code="newer")
    assert deployment.is_outdated()


def test_the_fingerprint_is_the_same_each_time():
    first = deployment.code_fingerprint()
    deployment.code_fingerprint.cache_clear()
    assert deployment.code_fingerprint() == first


@pytest.mark.parametrize("raw", [True, False])
def test_a_job_saved_by_a_fixture_is_not_timed(db, now, raw):
    job = Job(name="tests.demo.specimen", app="tests.demo", command="specimen", owed_since=now)
    Job.objects.all().delete()
    Job.objects.bulk_create([job])
    receivers.job_changed(instance=Job.objects.get(), raw=raw)
    assert (Job.objects.get().next_run_at is None) == raw


def test_deleting_a_job_takes_its_runs_with_it(job, now):
    Run.objects.create(job=job, status="succeeded", cause="manual", scheduled_for=now)
    job.delete()
    assert not Run.objects.exists()
