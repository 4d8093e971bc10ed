"""The history as CSV: whole, under the filters of the list, safe in a spreadsheet, and never held as a whole."""

import csv
import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext

from scheduler_bridge.admin import export, keyset
from scheduler_bridge.models import Cause, Job, Run, Status

EXPORT = "/admin/scheduler_bridge/run/export/"
LIST = "/admin/scheduler_bridge/run/"


@pytest.fixture
def history(job, now):
    other = Job.objects.create(name="till.count", app="till", command="count", owed_since=now)
    return Run.objects.bulk_create(
        Run(
            job=other if n % 3 == 0 else job,
            status=Status.FAILED if n % 4 == 0 else Status.SUCCEEDED,
            cause=Cause.MANUAL if n % 5 == 0 else Cause.SCHEDULE,
            requested_by="pat" if n % 5 == 0 else "",
            scheduled_for=now + timedelta(hours=n),
            started_at=now + timedelta(hours=n, seconds=12.5),
            finished_at=now + timedelta(hours=n, seconds=20),
            output=f"line {n % 6} of the till, a secret",
            reason="exit code 7" if n % 4 == 0 else "",
        )
        for n in range(40)
    )


def export_of(client, query=""):
    answer = client.get(EXPORT + query)
    assert answer.status_code == 200, answer.headers
    return list(csv.DictReader(StringIO(answer.getvalue().decode())))


def test_a_run_is_one_line_with_fixed_names(admin_client, job, now):
    run = Run.objects.create(
        job=job,
        status=Status.TIMED_OUT,
        cause=Cause.MANUAL,
        requested_by="anna",
        scheduled_for=now,
        started_at=now + timedelta(seconds=1.25),
        finished_at=now + timedelta(seconds=121.5),
        exit_code=-9,
        reason="no end within 2 minutes",
        coalesced=3,
        host="web1",
        queue="reports",
        handed_at=now + timedelta(seconds=0.5),
        cpu_seconds=1.5,
        peak_memory=2048,
        output="a secret",
    )
    (line,) = export_of(admin_client)
    assert line == {
        "run": str(run.pk),
        "job": "demo.specimen",
        "status": "timed_out",
        "cause": "manual",
        "requested_by": "anna",
        "after_run": "",
        "due": "2026-03-10T13:00:00.000+01:00",
        "started": "2026-03-10T13:00:01.250+01:00",
        "finished": "2026-03-10T13:02:01.500+01:00",
        "fire_times_folded_in": "3",
        "exit_code": "-9",
        "reason": "no end within 2 minutes",
        "host": "web1",
        "queue": "reports",
        "handed_over": "2026-03-10T13:00:00.500+01:00",
        "cpu_seconds": "1.5",
        "peak_memory_bytes": "2048",
        "cancelled_by": "",
        "mail": "",
        "waited_seconds": "1.250",
        "ran_seconds": "120.250",
    }


def test_a_repeated_hour_is_told_by_its_offset(admin_client, job):
    for hour in (0, 1):
        due = datetime(2026, 10, 25, hour, 30, tzinfo=UTC)
        Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=due)
    dues = [line["due"] for line in export_of(admin_client)]
    wanted = ["2026-10-25T02:30:00.000+01:00", "2026-10-25T02:30:00.000+02:00"]
    # A site without zones keeps local time, in which the two cannot be told apart.
    assert dues == wanted or len(set(dues)) == 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_text_is_a_formula(admin_client, job, now, start):
    evil = f"{start}HYPERLINK(1)"
    values = {"status": Status.FAILED, "cause": Cause.MANUAL, "scheduled_for": now}
    Run.objects.create(job=job, requested_by=evil, reason=evil, host=evil, cancel_by=evil, **values)
    (line,) = export_of(admin_client)
    assert {line[name] for name in ("requested_by", "reason", "host", "cancelled_by")} == {f"'{evil}"}


def test_quotes_commas_and_ends_of_lines_stay_in_their_cell(admin_client, job, now):
    odd = 'a "b", c\nd; e\r\nf – ü'
    Run.objects.create(job=job, status=Status.FAILED, cause=Cause.SCHEDULE, scheduled_for=now, reason=odd)
    answer = admin_client.get(EXPORT)
    (line,) = csv.DictReader(StringIO(answer.getvalue().decode(), newline=""))
    assert line["reason"] == odd


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {}),
        ("?status__exact=failed", {"status": "failed"}),
        ("?status__exact=any_failure", {"status": "failed"}),
        ("?cause__exact=manual", {"cause": "manual"}),
        ("?job=till.count", {"job__name": "till.count"}),
        ("?job=ti&status__exact=failed", {"job__name": "till.count", "status": "failed"}),
        ("?person=pat", {"requested_by": "pat"}),
        ("?q=line+3", {"output__contains": "line 3"}),
        ("?q=nothing", {"output": "nothing"}),
        ("?reason=exit+code+7", {"reason": "exit code 7"}),
        ("?mail=due", {"report": "due"}),
    ],
)
@pytest.mark.parametrize("batch", [3, 1000])
def test_it_holds_what_the_filters_of_the_list_find(admin_client, history, query, wanted, batch, monkeypatch):
    monkeypatch.setattr(export, "BATCH", batch)
    monkeypatch.setattr(keyset, "SCANNED", 7)
    monkeypatch.setattr(keyset, "SEARCHED", 5)
    found = [int(line["run"]) for line in export_of(admin_client, query)]
    assert found == list(Run.objects.filter(**wanted).order_by("-pk").values_list("pk", flat=True))


@pytest.mark.parametrize("batch", [1, 4, 1000])
@pytest.mark.parametrize("query", ["", "&status__exact=failed", "&q=line+3"])
def test_a_list_by_date_is_told_by_date(admin_client, history, query, batch, now, monkeypatch):
    monkeypatch.setattr(export, "BATCH", batch)
    monkeypatch.setattr(keyset, "SCANNED", 3)
    monkeypatch.setattr(keyset, "SEARCHED", 3)
    Run.objects.filter(pk__in=[run.pk for run in history[::2]]).update(scheduled_for=now)
    rows = Run.objects.filter(scheduled_for__lt=datetime(2026, 3, 10, 23, tzinfo=UTC))
    if "failed" in query:
        rows = rows.filter(status="failed")
    if "line" in query:
        rows = rows.filter(output__contains="line 3")
    found = [int(line["run"]) for line in export_of(admin_client, f"?to=2026-03-10{query}")]
    assert found == list(rows.order_by("-scheduled_for", "-pk").values_list("pk", flat=True))


def test_the_place_of_a_page_does_not_matter(admin_client, history):
    assert len(export_of(admin_client, f"?before={history[10].pk}")) == 40


def test_the_list_links_to_its_export_with_all_its_filters(admin_client, history):
    text = admin_client.get(f"{LIST}?status__exact=failed&job=till&q=line&before={history[30].pk}").content.decode()
    address = re.search(r'id="sb-export" href="([^"]*)"', text)[1].replace("&amp;", "&")
    assert address.startswith(f"{EXPORT}?")
    wanted = Run.objects.filter(status="failed", job__name="till.count").count()
    assert len(export_of(admin_client, address.removeprefix(EXPORT))) == wanted > 0


def test_runs_that_come_and_go_meanwhile_neither_repeat_nor_hide_others(admin_client, history, job, now, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 5)
    chunks = iter(admin_client.get(EXPORT).streaming_content)
    text = b"".join(next(chunks) for _ in range(3))
    Run.objects.filter(pk__in=[run.pk for run in history[:4]]).delete()
    Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now)
    text += b"".join(chunks)
    found = [int(line["run"]) for line in csv.DictReader(StringIO(text.decode()))]
    assert found == [run.pk for run in reversed(history[4:])]


def test_it_is_read_in_batches_and_never_reads_an_output(admin_client, history, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 10)
    with CaptureQueriesContext(connection) as queries:
        answer = admin_client.get(EXPORT)
        before = len(queries)
        assert answer.streaming
        list(answer.streaming_content)
    batches = [query["sql"] for query in queries][before:]
    assert len(batches) == 5
    assert all("LIMIT 10" in text for text in batches)
    assert not any(re.search(r"output|warning", text) for text in batches)
    assert not any("COUNT(" in query["sql"] for query in queries)


def test_it_stops_when_the_client_goes_away(admin_client, history, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 2)
    answer = admin_client.get(EXPORT)
    chunks = iter(answer.streaming_content)
    next(chunks)
    next(chunks)
    with CaptureQueriesContext(connection) as queries:
        answer.close()
        assert list(chunks) == []
    assert len(queries) == 0


def test_it_streams_under_asgi_too(admin_user, history, monkeypatch):
    monkeypatch.setattr(export, "BATCH", 10)

    async def chunks() -> list[bytes]:
        client = AsyncClient()
        await client.aforce_login(admin_user)
        answer = await client.get(EXPORT)
        assert answer.is_async
        return [chunk async for chunk in answer.streaming_content]

    found = async_to_sync(chunks)()
    assert len(found) == 5
    assert len(list(csv.DictReader(StringIO(b"".join(found).decode())))) == 40


def test_it_is_a_file_with_the_day_in_its_name(admin_client, history):
    answer = admin_client.get(EXPORT)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="runs-\d{4}-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"])
    assert "no-store" in answer.headers["Cache-Control"]


def test_an_empty_history_is_a_file_with_its_head(admin_client, db):
    answer = admin_client.get(EXPORT)
    assert answer.getvalue().decode() == ",".join([*export.COLUMNS, *export.SPANS]) + "\r\n"


@pytest.mark.parametrize("query", ["from=yesterday", "before=x", "nonsense=1", "status__nonsense=1"])
def test_what_cannot_be_understood_leads_to_the_list_which_says_so(admin_client, history, query):
    answer = admin_client.get(f"{EXPORT}?{query}", follow=True)
    assert answer.redirect_chain == [(f"{LIST}?e=1", 302)]
    assert "The address asked for what cannot be found; all runs are shown." in answer.content.decode()


def test_only_who_may_view_runs_gets_them(history, db):
    user = get_user_model().objects.create_user("pat@example.com", password="x", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(EXPORT).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    assert len(export_of(client)) == 40
    assert Client().get(EXPORT).status_code == 302


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_it_is_only_asked_for(admin_client, history, method):
    assert getattr(admin_client, method)(EXPORT).status_code == 405
