import pickle
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler_bridge import ledger

JOBS, EXECUTIONS = "/admin/django_apscheduler/djangojob/", "/admin/django_apscheduler/djangojobexecution/"


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def poisoned(db, tmp_path):
    path = tmp_path / "executed"
    DjangoJob.objects.create(id="evil", job_state=pickle.dumps(Payload(path)))
    return path


def test_no_page_loads_a_pickle_or_runs_a_job(admin_client, poisoned):
    assert admin_client.get(JOBS).status_code == 200
    assert admin_client.get(f"{JOBS}evil/change/").status_code == 200
    admin_client.post(JOBS, {"action": "run_selected_jobs", "_selected_action": ["evil"]}, follow=True)
    assert not poisoned.exists()


def test_the_ledger_is_read_only(admin_client, poisoned):
    assert admin_client.get(EXECUTIONS).status_code == 200
    for address in (JOBS, EXECUTIONS):
        assert admin_client.get(f"{address}add/").status_code == 403
    for model in (DjangoJob, DjangoJobExecution):
        assert admin.site.get_model_admin(model).actions is None


def test_the_executions_are_never_counted(admin_client, db, now):
    DjangoJob.objects.create(id="a", job_state=b"")
    for n in range(101):
        ledger.start("a", now + timedelta(n), "default")
    with CaptureQueriesContext(connection) as queries:
        text = admin_client.get(f"{EXECUTIONS}?status__exact=Started execution").content.decode()
    assert 'id="sb-older"' in text
    assert not [entry["sql"] for entry in queries if "COUNT(" in entry["sql"] and "jobexecution" in entry["sql"]]
