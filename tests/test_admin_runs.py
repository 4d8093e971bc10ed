import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scheduler_bridge import history
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
    assert '&lt;script&gt;alert(1)&lt;/script&gt; <span class="sb-ansi-red">red</span></pre>' in text
    assert "12.0 s" in text


BIDI = "\u202e"


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("\x1b]0;title\x07\x1b[2J\x1b[1;31mred\x1b[0m", '"><span class="sb-ansi-red sb-ansi-bold">red</span></pre>'),
        ("\x1b]8;;javascript:alert(1)\x1b\\click\x1b]8;;\x1b\\", ">click</pre>"),
        ("a\x01b\x07c\x9b31md\x7f", "abc31md</pre>"),
        ("</pre><img src=x onerror=alert(1)>", "&lt;/pre&gt;&lt;img src=x onerror=alert(1)&gt;</pre>"),
        ("\x1b" * 1000 + "[" * 1000, "[</pre>"),
        (f"user {BIDI}gpj.exe", "user gpj.exe</pre>"),
        ("x" * 1_000_000, "x</pre>"),
    ],
    ids=["codes", "link", "controls", "tags", "broken codes", "right to left", "long line"],
)
def test_no_output_is_more_than_text(admin_client, run, output, shown):
    Run.objects.filter(pk=run.pk).update(output=output, reason=history.one_line(output))
    text = admin_client.get(f"{LIST}{run.pk}/change/").content.decode()
    assert shown in text
    assert "\x1b" not in text
    assert BIDI not in text


@pytest.mark.parametrize(
    ("report", "tries", "shown"),
    [
        ("", 0, ""),
        ("due", 0, "not sent yet 2026-03-10 "),
        ("due", 3, "not sent yet, refused 3 times, tried again at 2026-03-10 "),
        ("sent", 1, ", refused 1 times"),
        ("given_up", 30, ", refused 30 times"),
    ],
)
def test_a_mail_that_is_not_out_is_seen(admin_client, run, now, report, tries, shown):
    Run.objects.filter(pk=run.pk).update(report=report, report_tries=tries, report_at=now)
    assert shown in admin_client.get(f"{LIST}{run.pk}/change/").content.decode()
    assert ("mail is not sent" in admin_client.get("/admin/scheduler_bridge/job/").content.decode()) == (
        report == "due" and tries > 0
    )
    assert ("exit code 3" in admin_client.get(f"{LIST}?mail=due").content.decode()) == (report == "due")


def test_runs_are_read_only(admin_client, run):
    assert admin_client.post(f"{LIST}{run.pk}/change/", {"status": "succeeded"}).status_code == 403
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.get(f"{LIST}{run.pk}/delete/").status_code == 403
    run.refresh_from_db()
    assert run.status == Status.FAILED


# Where they took place


def places(client, query: str = "") -> list[int]:
    return [run.pk for run in client.get(LIST + query).context["cl"].result_list]


def test_runs_are_found_by_queue_and_by_host(admin_client, run, job, now, tasks):
    times = {"scheduled_for": now, "started_at": now, "finished_at": now}
    values = {"job": job, "status": Status.SUCCEEDED, "cause": Cause.SCHEDULE, **times}
    near = Run.objects.create(queue="reports", host="one", **values)
    far = Run.objects.create(queue="mail", host="two", **values)
    assert places(admin_client, "?queue=reports") == [near.pk]
    assert places(admin_client, "?host=two") == [far.pk]
    assert places(admin_client, "?host=two&queue=reports") == []
    assert places(admin_client) == [far.pk, near.pk, run.pk]
    assert places(admin_client, "?queue=mail&status__exact=succeeded") == [far.pk]
    text = admin_client.get(LIST).content.decode()
    assert '<div class="sb-quiet">queue reports at one</div>' in text
    assert '<option value="reports">' in text


def test_without_an_engine_the_filters_are_not_in_the_way(admin_client, run):
    assert "sb-filter-queue" not in admin_client.get(LIST).content.decode()
    assert "sb-filter-host" in admin_client.get(LIST + "?host=one").content.decode()
    assert places(admin_client, "?queue=reports") == []


def test_a_queue_whose_name_is_code_is_text(admin_client, run, tasks):
    Run.objects.update(queue="<b>", host="<i>")
    text = admin_client.get(LIST).content.decode()
    assert "queue &lt;b&gt; at &lt;i&gt;" in text
