import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from scheduler_bridge import discovery
from scheduler_bridge.discovery import Discovery
from scheduler_bridge.models import Cause, Job, Run, Runner, Status

LIST = "/admin/scheduler_bridge/job/"
ALL = ("tests.demo.specimen", "tests.demo.by_hand", "scheduler_bridge.pruneruns")


@pytest.fixture(autouse=True)
def present(now) -> Iterator[None]:
    """Let all happen at one moment: what the code made due is not due then, however long ago the tables were made."""
    with time_machine.travel(now, tick=False):
        yield


def page(job: Job) -> str:
    return f"{LIST}{job.pk}/change/"


def act(client: Client, action: str, job: Job):
    return client.post(LIST, {"action": action, "_selected_action": [job.pk]}, follow=True)


def text_of(response) -> str:
    return response.content.decode()


def listed(client: Client, query: str = "") -> list[str]:
    """Give the names in the list, as it gives them."""
    found = re.findall(r'class="sb-name[^"]*">([^<]+)<.*?sb-small">([^<]+)<', text_of(client.get(LIST + query)))
    return [f"{app}.{command}" for command, app in found]


def row_of(client: Client, job: Job, query: str = "") -> str:
    """Give the row of one job."""
    rows = re.findall(r"<tr>.*?</tr>", text_of(client.get(LIST + query)), re.DOTALL)
    return next(row for row in rows if f"/job/{job.pk}/change/" in row)


def ran(job: Job, status: Status = Status.SUCCEEDED, seconds: float = 1.0, ago: int = 1, **values) -> Run:
    due = datetime.now(UTC) - timedelta(hours=ago)
    spans = {"started_at": due, "finished_at": due + timedelta(seconds=seconds)}
    given = {"cause": Cause.SCHEDULE, "scheduled_for": due, **spans}
    run = Run.objects.create(**{"job": job, "status": status, **given, **values})
    Job.objects.filter(pk=job.pk).update(last_run=run)
    return run


def test_the_list_shows_the_schedule_and_who_says_it(person, specimen):
    client = person("view_job")
    row = row_of(client, specimen)
    assert "every 30 minutes" in row
    assert ">code<" in row
    assert 'sb-name">specimen<' in row
    assert "no runner is alive" in text_of(client.get(LIST))


@pytest.mark.parametrize("query", ["", "?kind=interval&source=code", "?q=job1&o=-1", "?state=waiting&app=x", "?p=3"])
def test_the_list_takes_few_queries_for_a_thousand_jobs(person, specimen, django_assert_max_num_queries, now, query):
    client = person("view_job", "change_job")
    key = '{"interval": 300.0}'
    jobs = Job.objects.bulk_create(
        Job(name=f"x.job{n}", app="x", command=f"job{n}", schedule_key=key, owed_since=now, next_run_at=now)
        for n in range(1000)
    )
    rows = (Run(job=job, status=Status.SUCCEEDED, cause=Cause.SCHEDULE, scheduled_for=now) for job in jobs)
    Run.objects.bulk_create(rows)
    with django_assert_max_num_queries(9):
        response = client.get(LIST + query)
    assert len(response.context["cl"].result_list) == 100


def test_the_list_says_how_many_jobs_there_are_and_has_pages(person, specimen, now):
    client = person("view_job")
    Job.objects.bulk_create(Job(name=f"x.{n}", app="x", command=str(n), owed_since=now) for n in range(150))
    total = 150 + len(ALL)
    assert f"{total} jobs" in text_of(client.get(LIST))
    assert len(listed(client)) == 100
    assert len(listed(client, "?p=2")) == total - 100
    assert len(listed(client, "?all=")) == total
    assert client.get(LIST + "?p=3").status_code == 302
    assert "0 jobs" in text_of(client.get(LIST + "?q=nothing-of-the-kind"))


# The light


@pytest.mark.parametrize(
    ("values", "status", "word"),
    [
        ({}, None, "never ran"),
        ({}, Status.SUCCEEDED, "succeeded"),
        ({}, Status.RUNNING, "running"),
        ({}, Status.CANCELLED, "cancelled"),
        ({}, Status.SKIPPED, "skipped"),
        ({}, Status.FAILED, "failed, dealt with"),
        ({"failing_since": datetime(2026, 3, 10, tzinfo=UTC)}, Status.FAILED, "failing"),
        ({"failing_since": datetime(2026, 3, 10, tzinfo=UTC), "enabled": False}, Status.FAILED, "failing"),
        ({"enabled": False}, Status.SUCCEEDED, "disabled"),
        ({"next_run_at": datetime(2026, 3, 10, tzinfo=UTC)}, Status.SUCCEEDED, "waiting"),
        ({"broken": "SyntaxError: x"}, Status.SUCCEEDED, "broken"),
        ({"removed_at": datetime(2026, 3, 10, tzinfo=UTC)}, Status.SUCCEEDED, "removed"),
    ],
)
def test_the_light_says_in_words_how_a_job_stands(person, specimen, values, status, word):
    if status is not None:
        ran(specimen, status, **({"finished_at": None} if status == Status.RUNNING else {}))
    Job.objects.filter(pk=specimen.pk).update(**values)
    row = row_of(person("view_job"), specimen, "?removed=all")
    assert f'role="img" aria-label="{word}"' in row


def test_a_skip_does_not_hide_how_the_last_real_run_ended(person, specimen):
    ran(specimen, ago=3)
    ran(specimen, Status.SKIPPED, started_at=None)
    assert 'aria-label="succeeded"' in row_of(person("view_job"), specimen)


def test_what_is_out_of_the_ordinary_stands_below_the_name(person, specimen):
    values = {"disabled_reason": "stock<taking>", "disabled_until": datetime.now(UTC) + timedelta(days=90)}
    Job.objects.filter(pk=specimen.pk).update(enabled=False, failing_since=datetime.now(UTC), **values)
    row = row_of(person("view_job"), specimen)
    assert "failing since" in row
    assert "disabled until" in row
    assert "stock&lt;taking&gt;" in row


# What it did and will do


def test_the_last_runs_are_bars_that_say_and_lead_to_what_they_stand_for(person, specimen):
    for number in range(22):
        ran(specimen, seconds=10.0, ago=50 - number)
    failed = ran(specimen, Status.FAILED, 5.0)
    row = row_of(person("view_job"), specimen)
    assert 'aria-label="20 runs: 19 succeeded, 1 failed"' in row
    assert row.count("<rect") == 20
    bar = re.search(rf'<a href="[^"]*/run/{failed.pk}/change/"[^>]*>(.*?)</a>', row)[1]
    assert re.search(r'class="sb-b-failed" x="134" y="12" width="5" height="12"', bar)
    assert re.search(r"<title>[-\d]+ [:\d]+: failed, 5.0 s</title>", bar)
    assert row.count('class="sb-b-mark"') == 1


def test_the_share_of_success_leads_to_the_runs(person, specimen):
    for number in range(3):
        ran(specimen, seconds=number + 1)
    ran(specimen, Status.TIMED_OUT, 9.0)
    row = row_of(person("view_job"), specimen)
    assert f'<a href="/admin/scheduler_bridge/run/?job={specimen.pk}">75 %</a>' in row
    assert f'<a href="/admin/scheduler_bridge/run/?job={specimen.pk}">2.0 s</a>' in row
    assert "p95 9.0 s" in row


def test_the_next_run_is_counted_down_to(person, specimen):
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=12, seconds=10)
    Job.objects.filter(pk=specimen.pk).update(next_run_at=moment)
    row = row_of(person("view_job"), specimen)
    assert f'<time data-sb-countdown datetime="{moment:%FT%TZ}">in 12 min</time>' in row


def test_a_next_run_that_is_left_out_says_so(person, specimen):
    Job.objects.filter(pk=specimen.pk).update(skip_next_at=specimen.next_run_at)
    client = person("view_job")
    assert "skipped once" in row_of(client, specimen)
    Job.objects.filter(pk=specimen.pk).update(skip_next_at=specimen.next_run_at - timedelta(hours=1))
    assert "skipped once" not in row_of(client, specimen)


# Filters


def test_jobs_are_filtered_by_kind_and_source_which_only_the_code_knows(person, specimen, settings):
    client = person("view_job")
    assert listed(client, "?kind=interval") == ["tests.demo.specimen"]
    assert listed(client, "?kind=by_hand") == ["tests.demo.by_hand"]
    assert listed(client, "?kind=times") == ["scheduler_bridge.pruneruns"]
    assert set(listed(client, "?kind=external")) | set(listed(client, "?kind=internal")) == set(ALL)
    assert listed(client, "?kind=chained") == []
    Job.objects.filter(pk=specimen.pk).update(override_interval=timedelta(minutes=5))
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {"tests.demo.by_hand": {"times": [time(9, 30)]}}}
    assert listed(client, "?source=database") == ["tests.demo.specimen"]
    assert listed(client, "?source=settings") == ["tests.demo.by_hand"]
    assert listed(client, "?source=code") == ["scheduler_bridge.pruneruns"]
    assert listed(client, "?source=code&kind=times&app=scheduler_bridge") == ["scheduler_bridge.pruneruns"]
    assert listed(client, "?kind=nonsense") == []


def test_a_job_that_follows_another_is_found_as_chained(person, specimen, monkeypatch):
    definition = discovery.discover().definitions["tests.demo.specimen"]
    definitions = {
        **discovery.discover().definitions,
        "tests.demo.specimen": replace(definition, next_jobs=("by_hand",)),
    }
    found = Discovery(definitions=definitions, broken={}, others=())
    monkeypatch.setattr(discovery, "discover", lambda: found)
    client = person("view_job")
    assert listed(client, "?kind=chained") == ["tests.demo.by_hand"]
    assert listed(client, "?kind=by_hand") == []
    page_of_it = text_of(client.get(page(specimen)))
    assert re.search(r'followed by <a href="[^"]+">tests.demo.by_hand</a>', page_of_it)


@pytest.mark.parametrize(
    ("state", "values", "run"),
    [
        ("failing", {"failing_since": datetime(2026, 3, 10, tzinfo=UTC)}, {}),
        ("running", {}, {"status": Status.RUNNING, "finished_at": None}),
        ("waiting", {"next_run_at": datetime(2026, 3, 10, tzinfo=UTC)}, {}),
        ("waiting", {}, {"status": Status.QUEUED, "cause": Cause.MANUAL, "finished_at": None}),
        ("disabled", {"enabled": False}, {}),
        ("broken", {"broken": "SyntaxError"}, {}),
    ],
)
def test_jobs_are_filtered_by_how_they_stand(person, specimen, state, values, run):
    client = person("view_job")
    assert listed(client, f"?state={state}") == []
    ran(specimen, **run)
    Job.objects.filter(pk=specimen.pk).update(**values)
    assert listed(client, f"?state={state}") == ["tests.demo.specimen"]
    assert "tests.demo.specimen" not in listed(client, "?state=never")


def test_jobs_are_filtered_by_how_they_ended_and_by_app(person, specimen):
    ran(specimen, Status.FAILED)
    client = person("view_job")
    assert listed(client, "?last=failed") == ["tests.demo.specimen"]
    assert set(listed(client, "?app=tests.demo")) == {"tests.demo.specimen", "tests.demo.by_hand"}
    assert "Status: <strong>failing</strong>" in text_of(client.get(LIST + "?state=failing"))


def test_a_removed_job_is_shown_on_request(person, specimen, now):
    Job.objects.filter(pk=specimen.pk).update(removed_at=now)
    client = person("view_job")
    assert "tests.demo.specimen" not in listed(client)
    assert listed(client, "?removed=yes") == ["tests.demo.specimen"]
    assert set(listed(client, "?removed=all")) == set(ALL)


def test_jobs_are_searched_by_name_and_description(person, specimen):
    client = person("view_job")
    assert listed(client, "?q=specim") == ["tests.demo.specimen"]
    assert listed(client, "?q=by hand") == ["tests.demo.by_hand"]


# Actions of the list, and the hold


def test_disabling_is_recorded_with_the_person(person, specimen):
    act(person("view_job", "change_job"), "disable", specimen)
    specimen.refresh_from_db()
    assert (specimen.enabled, specimen.changed_by, specimen.next_run_at) == (False, "pat@example.com", None)
    assert LogEntry.objects.get().change_message == "enabled: yes → no"


def test_enabling_takes_the_reason_and_the_end_out(person, specimen, now):
    values = {"enabled": False, "disabled_reason": "stocktaking", "disabled_until": datetime(2099, 1, 1, tzinfo=UTC)}
    Job.objects.filter(pk=specimen.pk).update(**values)
    act(person("view_job", "change_job"), "enable", specimen)
    specimen.refresh_from_db()
    assert (specimen.enabled, specimen.disabled_reason, specimen.disabled_until) == (True, "", None)
    message = LogEntry.objects.get().change_message
    assert message.startswith("enabled: no → yes; why disabled: stocktaking → -; disabled until: 2099-01-01 ")


def test_run_now_only_queues(person, specimen):
    act(person("view_job", "run_job"), "run_now", specimen)
    run = Run.objects.get()
    assert (run.status, run.requested_by, run.job) == (Status.QUEUED, "pat@example.com", specimen)
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("action", ["enable", "disable", "run_now"])
def test_one_who_may_only_view_acts_on_nothing(person, specimen, action):
    Job.objects.filter(pk=specimen.pk).update(enabled=action != "enable")
    client = person("view_job")
    act(client, action, specimen)
    specimen.refresh_from_db()
    assert specimen.enabled == (action != "enable")
    assert not Run.objects.exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("name", ["hold", "resume"])
def test_the_hold_is_not_for_those_who_may_only_view(person, specimen, name):
    client = person("view_job", "change_job", "run_job")
    assert client.post(reverse(f"admin:scheduler_bridge_{name}"), {"reason": "x"}).status_code == 403
    assert not Runner.objects.get().held


def test_a_get_never_holds(admin_client):
    assert admin_client.get(reverse("admin:scheduler_bridge_hold")).status_code == 405
    assert not Runner.objects.get().held


@pytest.mark.parametrize("name", ["hold", "resume"])
def test_a_hold_from_another_site_is_refused(admin_user, specimen, name):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(reverse(f"admin:scheduler_bridge_{name}")).status_code == 403


def test_jobs_are_neither_added_nor_deleted_by_hand(admin_client, specimen):
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.get(f"{LIST}{specimen.pk}/delete/").status_code == 403
