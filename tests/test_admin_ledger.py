import pickle
from pathlib import Path

import pytest
from django.contrib import admin
from django_apscheduler.models import DjangoJob, DjangoJobExecution

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
