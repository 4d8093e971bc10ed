import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry

from scheduler_bridge import until
from scheduler_bridge.conf import load
from scheduler_bridge.models import Job

from .settings import ODD

LIST = "/admin/scheduler_bridge/job/"
SOON = datetime(2099, 1, 5, 8, 0, tzinfo=UTC)


def page(job: Job) -> str:
    return f"{LIST}{job.pk}/change/"


def send(client, job: Job, **values: str):
    """Send the form as a browser does: an empty box is not sent at all."""
    return client.post(page(job), {name: value for name, value in values.items() if value is not None})


def errors_of(response) -> dict[str, str]:
    text = response.content.decode()
    rows = re.findall(r'<ul class="errorlist" id="id_(\w+)_error">(.*?)</ul>', text, re.DOTALL)
    return {name: html.unescape(re.sub(r"<[^>]+>", "", found)).strip() for name, found in rows}


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
    assert send(admin_client, specimen, enabled="on", interval_text=interval, times_text=times).status_code == 302
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
    response = send(admin_client, specimen, interval_text=interval, times_text=times)
    assert response.status_code == 200
    text = html.unescape(response.content.decode())
    assert error in text
    assert "Nothing is saved: see what is wrong in the form." in text
    specimen.refresh_from_db()
    assert (specimen.override_interval, specimen.override_times, specimen.enabled) == (None, None, True)


def test_a_job_is_disabled_with_a_reason_and_an_end(admin_client, specimen):
    send(admin_client, specimen, disabled_reason="stocktaking\nand more", disabled_until="2099-01-05 09:00")
    specimen.refresh_from_db()
    assert (specimen.enabled, specimen.disabled_reason) == (False, "stocktaking and more")
    assert specimen.disabled_until == SOON
    message = LogEntry.objects.get().change_message
    assert message == (
        "enabled: yes → no; why disabled: - → stocktaking and more; disabled until: - → 2099-01-05 09:00:00"
    )


def test_an_override_has_a_reason_and_an_end_too(admin_client, specimen):
    given = {"override_reason": "busy", "override_until": "2099-01-05 09:00"}
    send(admin_client, specimen, enabled="on", interval_text="5 minutes", **given)
    specimen.refresh_from_db()
    assert (specimen.override_interval, specimen.override_reason) == (timedelta(minutes=5), "busy")
    assert specimen.override_until == SOON
    assert LogEntry.objects.get().change_message == (
        "schedule: every 30 minutes (code) → every 5 minutes; why changed: - → busy; "
        "changed until: - → 2099-01-05 09:00:00"
    )


@pytest.mark.parametrize(
    ("values", "field", "error"),
    [
        ({"enabled": "on", "disabled_reason": "x"}, "disabled_reason", "Only a disabled job has this."),
        ({"enabled": "on", "disabled_until": "18:30"}, "disabled_until", "Only a disabled job has this."),
        ({"override_reason": "x"}, "override_reason", "Only an interval or times of day given here have this."),
        ({"override_until": "18:30"}, "override_until", "Only an interval or times of day given here have this."),
        (
            {"interval_text": "30 minutes", "override_reason": "x"},
            "override_reason",
            "The job runs so without a change here",
        ),
        ({"disabled_until": "someday"}, "disabled_until", "expected a moment such as"),
        ({"disabled_until": "2020-01-01 08:00"}, "disabled_until", "expected a moment to come"),
        ({"interval_text": "5 minutes", "override_until": "Monday 25:00"}, "override_until", "expected a time from"),
        ({"disabled_reason": "x" * 501}, "disabled_reason", "at most 500 characters"),
    ],
)
def test_a_reason_or_an_end_that_makes_no_sense_is_refused_at_its_field(admin_client, specimen, values, field, error):
    response = send(admin_client, specimen, **values)
    assert response.status_code == 200
    assert list(errors_of(response)) == [field]
    assert error in errors_of(response)[field]
    specimen.refresh_from_db()
    assert (specimen.enabled, specimen.disabled_reason, specimen.override_until) == (True, "", None)
    assert not LogEntry.objects.exists()


def test_an_error_in_the_schedule_alone_says_nothing_of_its_reason(admin_client, specimen):
    response = send(admin_client, specimen, interval_text="soon", override_reason="busy")
    assert list(errors_of(response)) == ["interval_text"]


def test_enabling_a_job_takes_its_reason_and_end_out(admin_client, specimen):
    values = {"disabled_reason": "stocktaking", "disabled_until": SOON}
    Job.objects.filter(pk=specimen.pk).update(enabled=False, **values)
    typed = {"disabled_reason": "stocktaking", "disabled_until": "2099-01-05 09:00"}
    assert send(admin_client, specimen, enabled="on", **typed).status_code == 302
    specimen.refresh_from_db()
    assert (specimen.enabled, specimen.disabled_reason, specimen.disabled_until) == (True, "", None)
    assert "why disabled: stocktaking → -" in LogEntry.objects.get().change_message


def test_taking_an_override_out_takes_its_reason_and_end_out(admin_client, specimen):
    values = {"override_reason": "busy", "override_until": SOON}
    Job.objects.filter(pk=specimen.pk).update(override_interval=timedelta(minutes=5), **values)
    typed = {"override_reason": "busy", "override_until": "2099-01-05 09:00"}
    assert send(admin_client, specimen, enabled="on", interval_text="", **typed).status_code == 302
    specimen.refresh_from_db()
    assert (specimen.override_interval, specimen.override_reason, specimen.override_until) == (None, "", None)


@pytest.mark.skipif(ODD, reason="a column of local times cannot tell these two moments apart")
def test_what_stands_there_unchanged_stays_the_second_that_it_is(admin_client, specimen):
    """The text of a moment in a repeated hour is that of two."""
    second = datetime(2098, 10, 26, 1, 30, tzinfo=UTC)
    Job.objects.filter(pk=specimen.pk).update(enabled=False, disabled_until=second)
    shown = until.typed(second, load().time_zone)
    assert shown == "2098-10-26 02:30"
    assert f'value="{shown}"' in admin_client.get(page(specimen)).content.decode()
    send(admin_client, specimen, disabled_reason="still", disabled_until=shown)
    specimen.refresh_from_db()
    assert (specimen.disabled_reason, specimen.disabled_until) == ("still", second)


def test_an_end_that_has_passed_is_not_saved_again(admin_client, specimen):
    Job.objects.filter(pk=specimen.pk).update(enabled=False, disabled_until=datetime(2020, 1, 1, 8, 0, tzinfo=UTC))
    response = send(admin_client, specimen, disabled_until="2020-01-01 09:00")
    assert "expected a moment to come" in errors_of(response)["disabled_until"]


def test_saving_without_a_change_says_so_in_the_log(admin_client, specimen):
    send(admin_client, specimen, enabled="on")
    assert LogEntry.objects.get().change_message == "nothing changed"


def test_saving_the_page_leaves_the_columns_of_the_runner_alone(admin_client, admin_user, specimen, now):
    values = {"last_fire_at": now, "failing_since": now, "skip_next_at": now}
    Job.objects.filter(pk=specimen.pk).update(**values)
    send(admin_client, specimen, enabled="on", notify_on_success="on")
    specimen.refresh_from_db()
    assert (specimen.last_fire_at, specimen.failing_since, specimen.skip_next_at) == (now, now, now)
    assert specimen.notify_on_success
    assert (specimen.changed_by, specimen.changed_at is not None) == (admin_user.get_username(), True)


def test_one_who_may_only_view_cannot_send_the_form(person, specimen):
    client = person("view_job", "run_job")
    for button in ("_save", "_preview"):
        assert send(client, specimen, interval_text="1 hour", **{button: "x"}).status_code == 403
    specimen.refresh_from_db()
    assert (specimen.enabled, specimen.override_interval) == (True, None)
