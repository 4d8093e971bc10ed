import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_bridge.models import Cause, Run, Status

LIST = "/admin/scheduler_bridge/run/"


@pytest.fixture
def run(job, now):
    return Run.objects.create(
        job=job,
        status=Status.FAILED,
        cause=Cause.SCHEDULE,
        scheduled_for=now,
        started_at=now + timedelta(seconds=12),
        finished_at=now + timedelta(seconds=15),
        output="<script>alert(1)</script> \x1b[31mred\x1b[0m",
        reason="exit code 3",
    )


def test_the_list_never_counts_the_table(admin_client, run):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert admin_client.get(LIST).status_code == 200
    counts = [query["sql"] for query in queries if re.search(r"COUNT\(.*scheduler_bridge_run\b", query["sql"])]
    assert counts == []


def test_the_list_never_reads_the_output(admin_client, run):
    with CaptureQueriesContext(connection) as queries:
        admin_client.get(LIST)
    assert not any("scheduler_bridge_run`.`output" in q["sql"] or '"output"' in q["sql"] for q in queries)


@pytest.mark.parametrize(
    "query", ["?status__exact=failed", "?cause__exact=schedule", "?scheduled_for__gte=2020-01-01T00:00%2B00:00"]
)
def test_the_list_is_filtered(admin_client, run, query):
    assert "demo.specimen" in admin_client.get(LIST + query).content.decode()


def test_the_list_is_filtered_by_job(admin_client, run):
    assert "exit code 3" in admin_client.get(f"{LIST}?job={run.job_id}").content.decode()
    assert "exit code 3" not in admin_client.get(f"{LIST}?job={run.job_id + 99}").content.decode()


def test_the_page_shows_output_as_text_only(admin_client, run):
    text = admin_client.get(f"{LIST}{run.pk}/change/").content.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; red</pre>" in text
    assert "12.0 s" in text


def test_runs_are_read_only(admin_client, run):
    assert admin_client.post(f"{LIST}{run.pk}/change/", {"status": "succeeded"}).status_code == 403
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.get(f"{LIST}{run.pk}/delete/").status_code == 403
    run.refresh_from_db()
    assert run.status == Status.FAILED
