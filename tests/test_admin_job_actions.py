import html
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from scheduler_bridge.models import Job, Run, Status

BUTTONS = {
    "run_now": "run_job",
    "skip_next": "change_job",
    "undo_skip_next": "change_job",
    "reset_failure": "change_job",
}
LIST = "/admin/scheduler_bridge/job/"


@pytest.fixture(autouse=True)
def present(now) -> Iterator[None]:
    """Let all happen at one moment: what the code made due is not due then, however long ago the tables were made."""
    with time_machine.travel(now, tick=False):
        yield


def page(job: Job) -> str:
    return f"{LIST}{job.pk}/change/"


def press(client: Client, name: str, job: Job):
    return client.post(reverse(f"admin:scheduler_bridge_{name}", args=[job.pk]), follow=True)


def text_of(response) -> str:
    return html.unescape(response.content.decode())


@pytest.fixture
def troubled(specimen):
    """A job that fails, whose next run somebody wants left out."""
    since = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    Job.objects.filter(pk=specimen.pk).update(failing_since=since, skip_next_at=specimen.next_run_at)
    return Job.objects.get(pk=specimen.pk)


def state(job: Job) -> tuple[object, ...]:
    job = Job.objects.get(pk=job.pk)
    return job.failing_since, job.skip_next_at, Run.objects.count(), LogEntry.objects.count()


@pytest.mark.parametrize("name", BUTTONS)
def test_a_get_never_acts(admin_client, troubled, name):
    before = state(troubled)
    assert admin_client.get(reverse(f"admin:scheduler_bridge_{name}", args=[troubled.pk])).status_code == 405
    assert state(troubled) == before


@pytest.mark.parametrize("name", BUTTONS)
def test_a_post_from_another_site_is_refused(admin_user, troubled, name):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    before = state(troubled)
    assert client.post(reverse(f"admin:scheduler_bridge_{name}", args=[troubled.pk])).status_code == 403
    assert state(troubled) == before


@pytest.mark.parametrize("name", BUTTONS)
def test_each_button_needs_its_permission(person, troubled, name):
    others = {"view_job", "hold_runner", *BUTTONS.values()} - {BUTTONS[name]}
    before = state(troubled)
    assert press(person(*others), name, troubled).status_code == 403
    assert state(troubled) == before


@pytest.mark.parametrize("name", BUTTONS)
def test_one_who_is_not_logged_in_is_asked_to(client, troubled, name):
    before = state(troubled)
    response = client.post(reverse(f"admin:scheduler_bridge_{name}", args=[troubled.pk]))
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")
    assert state(troubled) == before


@pytest.mark.parametrize("name", BUTTONS)
def test_a_job_that_is_not_there_is_no_error_of_ours(admin_client, name):
    assert admin_client.post(reverse(f"admin:scheduler_bridge_{name}", args=[999_999])).status_code == 403


def test_a_run_is_queued_and_noted(person, specimen):
    client = person("view_job", "run_job")
    assert "The run is queued for the runner." in text_of(press(client, "run_now", specimen))
    run = Run.objects.get()
    assert (run.status, run.requested_by) == (Status.QUEUED, "pat@example.com")
    assert LogEntry.objects.get().change_message == f"run now: run {run.pk} queued"


def test_a_disabled_job_is_not_run_and_the_page_says_why(person, specimen):
    Job.objects.filter(pk=specimen.pk).update(enabled=False)
    text = text_of(press(person("view_job", "run_job"), "run_now", specimen))
    assert "The job tests.demo.specimen is disabled, so it was not run." in text
    assert not Run.objects.exists()
    assert not LogEntry.objects.exists()


def test_the_next_run_is_left_out_and_taken_in_again(person, specimen):
    client = person("view_job", "change_job")
    text = text_of(press(client, "skip_next", specimen))
    specimen.refresh_from_db()
    assert (specimen.skip_next_at, specimen.skip_next_by) == (specimen.next_run_at, "pat@example.com")
    assert "will be left out." in text
    assert "left out, as pat@example.com asked" in text
    assert 'id="sb-undo-skip-next"' in text
    assert 'id="sb-skip-next"' not in text
    text = text_of(press(client, "undo_skip_next", specimen))
    assert 'id="sb-skip-next"' in text
    specimen.refresh_from_db()
    assert (specimen.skip_next_at, specimen.skip_next_by) == (None, "")
    first, second = (entry.change_message for entry in LogEntry.objects.order_by("pk"))
    moment = first.removeprefix("skip the next run: - → ")
    assert second == f"skip the next run: {moment} → -"


def test_a_job_that_never_fires_has_nothing_to_leave_out(person, specimen):
    job = Job.objects.get(name="tests.demo.by_hand")
    client = person("view_job", "change_job")
    text = text_of(press(client, "skip_next", job))
    assert "has no fire time to come that could be left out" in text
    assert 'id="sb-skip-next"' not in text
    assert "No run was to be left out." in text_of(press(client, "undo_skip_next", job))
    assert not LogEntry.objects.exists()


def test_failures_are_marked_as_dealt_with(person, troubled):
    client = person("view_job", "change_job")
    assert 'id="sb-reset-failure"' in text_of(client.get(page(troubled)))
    text = text_of(press(client, "reset_failure", troubled))
    assert "The failures are marked as dealt with." in text
    assert 'id="sb-reset-failure"' not in text
    assert Job.objects.get(pk=troubled.pk).failing_since is None
    assert LogEntry.objects.get().change_message == "failing since: 2026-03-10 13:00:00 → -"
    assert "The job is not failing." in text_of(press(client, "reset_failure", troubled))
    assert LogEntry.objects.count() == 1


def test_what_a_person_is_called_is_escaped(admin_client, specimen):
    Job.objects.filter(pk=specimen.pk).update(skip_next_at=specimen.next_run_at, skip_next_by="<b>pat</b>")
    assert "left out, as &lt;b&gt;pat&lt;/b&gt; asked" in admin_client.get(page(specimen)).content.decode()


def test_a_fire_time_that_has_passed_is_no_more_offered_to_be_left_out(admin_client, specimen):
    Job.objects.filter(pk=specimen.pk).update(next_run_at=datetime.now(UTC) - timedelta(minutes=1))
    assert 'id="sb-skip-next"' not in text_of(admin_client.get(page(specimen)))
