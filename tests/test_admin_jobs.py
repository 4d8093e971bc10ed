import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from scheduler_bridge.models import Job, Run, Runner, Status

LIST = "/admin/scheduler_bridge/job/"


@pytest.fixture
def specimen(db):
    return Job.objects.get(name="tests.demo.specimen")


@pytest.fixture
def person(db):
    """Give a client of somebody on the staff who has these permissions."""

    def make(*permissions: str) -> Client:
        user = get_user_model().objects.create_user("pat@example.com", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return make


def page(job: Job) -> str:
    return f"{LIST}{job.pk}/change/"


def act(client: Client, action: str, job: Job):
    return client.post(LIST, {"action": action, "_selected_action": [job.pk]}, follow=True)


def test_the_list_shows_the_schedule_and_who_says_it(person, specimen):
    text = person("view_job").get(LIST).content.decode()
    assert "every 30 minutes" in text
    assert "tests.demo.specimen" in text
    assert "no runner is alive" in text


def test_the_list_takes_few_queries_however_many_jobs(person, specimen, django_assert_max_num_queries, now):
    client = person("view_job", "change_job")
    Job.objects.bulk_create(Job(name=f"x.{n}", app="x", command=str(n), owed_since=now) for n in range(100))
    with django_assert_max_num_queries(12):
        client.get(LIST)


def test_disabling_is_recorded_with_the_person(person, specimen):
    act(person("view_job", "change_job"), "disable", specimen)
    specimen.refresh_from_db()
    assert (specimen.enabled, specimen.changed_by, specimen.next_run_at) == (False, "pat@example.com", None)
    assert "enabled: True → False" in LogEntry.objects.get().change_message


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
    client.post(page(specimen), {"enabled": "", "interval_text": "1 hour"})
    client.post(reverse("admin:scheduler_bridge_run_now", args=[specimen.pk]))
    client.post(reverse("admin:scheduler_bridge_hold"), {"reason": "x"})
    client.post(reverse("admin:scheduler_bridge_resume"))
    specimen.refresh_from_db()
    assert specimen.enabled == (action != "enable")
    assert specimen.override_interval is None
    assert not Run.objects.exists()
    assert not LogEntry.objects.exists()
    assert not Runner.objects.get().held


@pytest.mark.parametrize("name", ["hold", "resume", "run_now"])
def test_a_get_never_acts(admin_client, specimen, name):
    arguments = [specimen.pk] if name == "run_now" else []
    assert admin_client.get(reverse(f"admin:scheduler_bridge_{name}", args=arguments)).status_code == 405
    assert not Run.objects.exists()


@pytest.mark.parametrize("name", ["hold", "resume", "run_now"])
def test_a_post_from_another_site_is_refused(admin_user, specimen, name):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    arguments = [specimen.pk] if name == "run_now" else []
    assert client.post(reverse(f"admin:scheduler_bridge_{name}", args=arguments)).status_code == 403


def test_hold_and_resume_are_for_those_who_may(person, specimen):
    client = person("view_job", "hold_runner")
    client.post(reverse("admin:scheduler_bridge_hold"), {"reason": "stocktaking"})
    row = Runner.objects.get()
    assert (row.held, row.held_by, row.held_reason) == (True, "pat@example.com", "stocktaking")
    client.post(reverse("admin:scheduler_bridge_resume"), {"pending": "run"})
    assert not Runner.objects.get().held
    assert [entry.change_message for entry in LogEntry.objects.order_by("id")] == ["hold: stocktaking", "resume: run"]


@pytest.mark.parametrize(
    ("interval", "times", "column", "value"),
    [
        ("45 minutes", "", "override_interval", timedelta(minutes=45)),
        ("1:30:00", "", "override_interval", timedelta(minutes=90)),
        ("", "18:30, 09:30", "override_times", ["09:30:00", "18:30:00"]),
        ("30 minutes", "", "override_interval", None),
    ],
)
def test_an_override_is_typed_as_text(admin_client, specimen, interval, times, column, value):
    data = {"enabled": "on", "interval_text": interval, "times_text": times}
    assert admin_client.post(page(specimen), data).status_code == 302
    specimen.refresh_from_db()
    assert getattr(specimen, column) == value
    assert specimen.next_run_at is not None


@pytest.mark.parametrize(
    ("interval", "times", "error"),
    [
        ("soon", "", "expected an interval such as"),
        ("0 seconds", "", "expected an interval of one second or more"),
        ("", "25:00", "expected a time from"),
        ("", "09:30 09:30", "expected each time once"),
        ("1 hour", "09:30", "Give an interval or times of day, not both."),
    ],
)
def test_a_bad_override_is_refused_at_its_field(admin_client, specimen, interval, times, error):
    response = admin_client.post(page(specimen), {"interval_text": interval, "times_text": times})
    assert response.status_code == 200
    assert error in response.content.decode().replace("&quot;", '"')
    specimen.refresh_from_db()
    assert (specimen.override_interval, specimen.override_times) == (None, None)


def test_the_page_shows_what_each_layer_says_and_the_next_fire_times(admin_client, specimen, settings):
    Job.objects.filter(pk=specimen.pk).update(override_times=["09:30:00"])
    text = admin_client.get(page(specimen)).content.decode()
    row = "<th>schedule</th><td>every 30 minutes</td><td>-</td>"
    assert row + '<td>daily at 09:30 <span class="sb-quiet">(changed here)</span></td>' in text
    assert 'value="09:30"' in text
    assert text.count("09:30:00<br>") == 5


def test_the_page_shows_the_other_values_and_which_layer_says_them(admin_client, specimen, settings):
    override = {"enabled": True, "timeout": timedelta(hours=1), "args": ["--days", "7"]}
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {specimen.name: override}}
    text = re.sub(r"<[^>]+>", " ", admin_client.get(page(specimen)).content.decode())
    lines = " ".join(text.split())
    assert "enabled - yes yes (settings)" in lines
    assert "timeout - 1 hour 1 hour (settings)" in lines
    assert "arguments none --days 7 --days 7 (settings)" in lines


def test_a_broken_job_shows_its_error_first(admin_client, specimen):
    Job.objects.filter(pk=specimen.pk).update(broken="ModuleNotFoundError: No module named 'till'")
    text = admin_client.get(page(specimen)).content.decode()
    assert "No module named &#x27;till&#x27;" in text
    assert text.index("No module named") < text.index("id_enabled")


def test_what_a_command_says_of_itself_is_escaped(admin_client, specimen):
    text = admin_client.get(page(specimen)).content.decode()
    assert "<b>orders</b>" not in text
    assert "&lt;b&gt;orders" in text


def test_jobs_are_neither_added_nor_deleted_by_hand(admin_client, specimen):
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.get(f"{LIST}{specimen.pk}/delete/").status_code == 403


def test_saving_the_page_leaves_the_columns_of_the_runner_alone(admin_client, specimen, now):
    Job.objects.filter(pk=specimen.pk).update(last_fire_at=now)
    admin_client.post(page(specimen), {"enabled": "on"})
    specimen.refresh_from_db()
    assert specimen.last_fire_at == now


def test_a_removed_job_is_shown_on_request(admin_client, specimen, now):
    Job.objects.filter(pk=specimen.pk).update(removed_at=now)
    assert "tests.demo.specimen" not in admin_client.get(LIST).content.decode()
    assert "tests.demo.specimen" in admin_client.get(f"{LIST}?removed=yes").content.decode()
