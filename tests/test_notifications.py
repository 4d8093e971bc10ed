import socket
from datetime import timedelta
from smtplib import SMTPServerDisconnected

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.locmem import EmailBackend as Locmem
from django.db import DatabaseError, OperationalError

from scheduler_bridge import notifications
from scheduler_bridge.models import Cause, Job, Report, Run, Status


class AnswerError(Exception):
    """What a mail service's own library raises: no kin of SMTPException."""


class Flaky(Locmem):
    """Refuses the mails whose subject holds the word."""

    refused = ""
    error: Exception = SMTPServerDisconnected("gone")

    def send_messages(self, messages):
        if any(self.refused in message.subject for message in messages):
            raise self.error
        return super().send_messages(messages)


@pytest.fixture
def flaky(monkeypatch):
    monkeypatch.setattr(notifications, "_backend", Flaky)
    monkeypatch.setattr(Flaky, "refused", "specimen")
    return Flaky


def run_of(job: Job, now, **values) -> Run:
    values = {
        "status": Status.FAILED,
        "cause": Cause.SCHEDULE,
        "scheduled_for": now - timedelta(seconds=10),
        "started_at": now - timedelta(seconds=9),
        "finished_at": now,
        "exit_code": 3,
        "reason": "exit code 3",
        "output": "line one\nline two\n",
        "host": "worker-1",
        "report": Report.DUE,
        "report_at": now,
        **values,
    }
    return Run.objects.create(job=job, **values)


def html_of(message) -> str:
    return message.alternatives[0][0]


def test_a_failed_run_is_mailed_to_the_admins(job, now):
    run = run_of(job, now)
    assert notifications.send_due(now) == 1
    (message,) = mail.outbox
    assert message.to == ["ops@example.com"]
    assert message.from_email == "root@localhost"
    assert message.subject == "[Django] demo.specimen failed: exit code 3"
    run.refresh_from_db()
    assert (run.report, run.report_at) == (Report.SENT, now)


def test_a_mail_is_sent_once(job, now):
    run_of(job, now)
    notifications.send_due(now)
    assert notifications.send_due(now + timedelta(hours=1)) == 0
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.FAILED, "failed: boom"),
        (Status.TIMED_OUT, "timed out: boom"),
        (Status.ABANDONED, "was abandoned: boom"),
        (Status.SUCCEEDED, "succeeded: boom"),
        (Status.CANCELLED, "cancelled: boom"),
    ],
)
def test_the_subject_says_how_the_run_ended(job, now, status, words):
    message = notifications.compose(run_of(job, now, status=status, reason="boom"))
    assert message.subject == f"[Django] demo.specimen {words}"


def test_a_run_without_a_reason_has_a_subject_without_a_colon(job, now):
    message = notifications.compose(run_of(job, now, status=Status.SUCCEEDED, reason=""))
    assert message.subject == "[Django] demo.specimen succeeded"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x85", "\u2028", "\u2029", "\x1b[0m", "\u202e"])
def test_a_reason_cannot_begin_a_header_of_its_own(job, now, end):
    run = run_of(job, now)
    run.reason = f"bad{end}Bcc: thief@example.com"
    message = notifications.compose(run)
    assert len(message.subject.splitlines()) == 1
    assert message.subject.isprintable()
    assert "Bcc" not in message.message()
    assert message.recipients() == ["ops@example.com"]


def test_a_subject_prefix_or_a_job_name_cannot_begin_a_header_either(job, now, settings):
    settings.EMAIL_SUBJECT_PREFIX = "[shop]\nBcc: thief@example.com\n"
    run = run_of(job, now)
    run.job.name = "demo.a\nCc: thief@example.com"
    message = notifications.compose(run).message()
    assert message["Bcc"] is None
    assert message["Cc"] is None


def test_a_long_reason_is_cut_in_the_subject_and_whole_in_the_body(job, now):
    message = notifications.compose(run_of(job, now, reason="x" * 500))
    assert len(message.subject) == notifications.SUBJECT_LIMIT
    assert message.subject.endswith("…")
    assert "x" * 500 in message.body


@pytest.mark.parametrize("part", ["text", "html"])
def test_both_parts_say_what_when_how_long_where_and_how_to_run_it(job, now, part):
    job.description = "Imports orders"
    message = notifications.compose(run_of(job, now, coalesced=2))
    text = message.body if part == "text" else html_of(message)
    for expected in (
        "demo.specimen failed: exit code 3",
        "Imports orders",
        "2026-03-10 12:59:50 CET",  # due, in the zone of the scheduler
        "2026-03-10 12:59:51 CET",
        "and 2 earlier times",
        "9.0 s",
        "worker-1",
        "line one\nline two\n",
        "manage.py scheduledjobs run demo.specimen --force",
    ):
        assert expected in text
    assert message.alternatives[0][1] == "text/html"


def test_the_mail_says_who_asked_and_what_it_followed(job, now):
    first = run_of(job, now, cause=Cause.MANUAL, requested_by="anna")
    second = run_of(job, now, cause=Cause.CHAIN, parent=first)
    assert "by hand, anna" in notifications.compose(first).body
    assert "after another job: demo.specimen" in notifications.compose(second).body


def test_a_run_that_never_started_is_mailed_with_dashes(job, now):
    run = run_of(job, now, status=Status.ABANDONED, started_at=None, exit_code=None, host="", output="")
    body = notifications.compose(run).body
    assert "Started:    -\nDuration:   -\nExit code:  -\nHost:       -\n" in body
    assert body.endswith("Output:\n-\n")


def test_exit_code_zero_is_told(job, now):
    assert "Exit code:  0\n" in notifications.compose(run_of(job, now, exit_code=0)).body


def test_a_long_duration_is_told_in_hours(job, now):
    run = run_of(job, now, started_at=now - timedelta(hours=2, seconds=5))
    assert "2:00:05" in notifications.compose(run).body


def test_only_the_end_of_a_long_output_is_mailed(job, now):
    body = notifications.compose(run_of(job, now, output="first" + "x" * 50_000 + "last")).body
    assert "first" not in body
    assert "xlast" in body
    assert "Output (its end):" in body
    assert len(body) < notifications.OUTPUT_LIMIT + 1000


def test_what_the_job_prints_is_text_in_the_html_part(job, now):
    evil = "<script>alert(1)</script>"
    job.description = evil
    job.save()
    html = html_of(notifications.compose(run_of(job, now, output=evil, reason=evil, warning=evil, host=evil)))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_what_the_job_prints_is_not_escaped_in_the_text_part(job, now):
    assert "a < b & c" in notifications.compose(run_of(job, now, output="a < b & c")).body


def test_template_tags_in_the_output_are_only_text(job, now):
    assert "{{ run.pk }}{% now %}" in notifications.compose(run_of(job, now, output="{{ run.pk }}{% now %}")).body


@pytest.mark.parametrize("output", ["x" * 19_000, "åäö \x1b[31mred\x1b[0m", "a\rb\r\n", ".\n.\n", "From me\n"])
def test_any_output_makes_a_mail_that_can_be_put_on_the_wire(job, now, output):
    assert notifications.compose(run_of(job, now, output=output)).message().as_bytes()


def test_what_was_left_behind_is_mailed(job, now):
    message = notifications.compose(run_of(job, now, warning="ended sleep (4711)"))
    assert "ended sleep (4711)" in message.body
    assert "ended sleep (4711)" in html_of(message)


def test_the_mail_links_to_the_run_when_the_project_states_its_address(job, now, settings):
    settings.SCHEDULER_BRIDGE = {"SITE_URL": "https://www.example.com"}
    run = run_of(job, now)
    message = notifications.compose(run)
    link = f"https://www.example.com/admin/scheduler_bridge/run/{run.pk}/change/"
    assert link in message.body
    assert f'href="{link}"' in html_of(message)


def test_without_an_address_there_is_no_link(job, now):
    assert "http" not in notifications.compose(run_of(job, now)).body


def test_a_project_without_the_admin_gets_no_link(job, now, settings):
    settings.SCHEDULER_BRIDGE = {"SITE_URL": "https://www.example.com"}
    settings.ROOT_URLCONF = "tests.demo"
    assert "http" not in notifications.compose(run_of(job, now)).body


def test_urls_that_cannot_be_loaded_do_not_keep_the_mail_back(job, now, settings, caplog):
    settings.SCHEDULER_BRIDGE = {"SITE_URL": "https://www.example.com"}
    settings.ROOT_URLCONF = "tests.no_such_module"
    run_of(job, now)
    assert notifications.send_due(now) == 1
    assert "mailed without a link" in caplog.text


def test_recipients_and_sender_come_from_the_settings(job, now, settings):
    settings.SCHEDULER_BRIDGE = {"NOTIFY": ["a@example.com", "b@example.com"], "FROM_EMAIL": "jobs@example.com"}
    message = notifications.compose(run_of(job, now))
    assert (message.to, message.from_email) == (["a@example.com", "b@example.com"], "jobs@example.com")


def test_with_nobody_to_mail_a_report_is_given_up_with_one_warning(job, now, settings, caplog):
    settings.SCHEDULER_BRIDGE = {"NOTIFY": []}
    run = run_of(job, now)
    assert notifications.send_due(now) == 0
    assert notifications.send_due(now) == 0
    run.refresh_from_db()
    assert run.report == Report.GIVEN_UP
    assert caplog.text.count("nobody to mail") == 1


@pytest.mark.parametrize(
    "error", [SMTPServerDisconnected("gone"), TimeoutError("slow"), ValueError("bad address"), AnswerError("503")]
)
def test_a_refused_mail_is_tried_again_a_minute_later(job, now, flaky, monkeypatch, caplog, error):
    monkeypatch.setattr(Flaky, "error", error)
    run = run_of(job, now)
    assert notifications.send_due(now) == 0
    run.refresh_from_db()
    assert (run.report, run.report_tries, run.report_at) == (Report.DUE, 1, now + timedelta(minutes=1))
    assert type(error).__name__ in caplog.text
    assert notifications.send_due(now + timedelta(seconds=59)) == 0
    flaky.refused = "nothing"
    assert notifications.send_due(now + timedelta(minutes=1)) == 1


def test_one_refused_mail_keeps_no_other_back(job, now, flaky):
    other = Job.objects.create(name="demo.other", app="demo", command="other", created_at=now, owed_since=now)
    run_of(job, now, report_at=now - timedelta(seconds=1))
    run_of(other, now)
    assert notifications.send_due(now) == 1
    assert mail.outbox[0].subject.startswith("[Django] demo.other")


def test_pauses_grow_to_an_hour_and_end_after_a_day(job, now, flaky, caplog):
    run, moment, pauses = run_of(job, now), now, []
    while run.report == Report.DUE:
        notifications.send_due(moment)
        run.refresh_from_db()
        pauses.append(run.report_at - moment)
        moment = run.report_at
    minutes = [pause // timedelta(minutes=1) for pause in pauses]
    assert minutes[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert set(minutes[8:-1]) == {60}
    assert run.report == Report.GIVEN_UP
    assert timedelta(hours=23) < moment - now <= timedelta(days=1)
    assert [record.levelname for record in caplog.records].count("ERROR") == 1
    assert caplog.records[-1].levelname == "ERROR"


def test_a_report_that_waited_for_days_is_still_tried(job, now):
    run_of(job, now - timedelta(days=3))
    assert notifications.send_due(now) == 1


def test_a_lost_database_is_no_failure_of_the_mail(job, now, flaky, monkeypatch):
    def away(*words):
        raise OperationalError("gone")

    monkeypatch.setattr(Flaky, "error", OperationalError("gone"))
    monkeypatch.setattr(notifications.history, "report_failed", away)
    run = run_of(job, now)
    with pytest.raises(OperationalError):
        notifications.send_due(now)
    run.refresh_from_db()
    assert (run.report, run.report_tries) == (Report.DUE, 0)


def test_a_backend_whose_own_tables_refuse_a_mail_keeps_no_other_mail(job, now, flaky, monkeypatch):
    monkeypatch.setattr(Flaky, "error", DatabaseError("the queue of mails is full"))
    first, second = run_of(job, now), run_of(job, now)
    notifications.send_due(now)
    for run in (first, second):
        run.refresh_from_db()
        assert (run.report, run.report_tries) == (Report.DUE, 1)


def test_a_run_without_a_report_is_not_mailed(job, now):
    run_of(job, now, report=Report.NONE, report_at=None)
    run_of(job, now, report_at=now + timedelta(minutes=5))
    assert notifications.send_due(now) == 0


def test_the_projects_own_backend_is_used(db):
    backend = notifications._backend()
    assert isinstance(backend, BaseEmailBackend)
    assert isinstance(backend, Locmem)


@pytest.fixture
def smtp(settings):
    """Give a function that makes SMTP the project's backend, as its Django wants it said."""

    def use(**options):
        if hasattr(mail, "mailers"):
            backend = "django.core.mail.backends.smtp.EmailBackend"
            settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"host": "127.0.0.1", **options}}}
        else:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST = "127.0.0.1"
            settings.EMAIL_PORT = options.get("port", 25)
            settings.EMAIL_TIMEOUT = options.get("timeout")

    return use


def test_over_smtp_a_timeout_is_set_where_the_project_states_none(smtp):
    smtp()
    assert notifications._backend().timeout == notifications.SMTP_TIMEOUT


def test_a_timeout_of_the_project_is_kept(smtp):
    smtp(timeout=7)
    assert notifications._backend().timeout == 7


def test_a_mail_server_that_never_answers_is_left(job, now, smtp, monkeypatch, caplog):
    monkeypatch.setattr(notifications, "SMTP_TIMEOUT", 0.2)
    run = run_of(job, now)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        smtp(port=silent.getsockname()[1])
        assert notifications.send_due(now) == 0
    run.refresh_from_db()
    assert (run.report, run.report_tries) == (Report.DUE, 1)


def test_the_urls_of_the_project_are_loaded_only_for_a_link(job, now, settings):
    settings.ROOT_URLCONF = "tests.no_such_module"
    assert notifications.compose(run_of(job, now)).subject


def test_the_mail_about_a_run_that_was_handed_over_says_queue_and_host(job, now):
    run_of(job, now, queue="reports")
    run_of(job, now)
    notifications.send_due(now)
    first, second = mail.outbox
    assert "Host:       worker-1\nQueue:      reports\n" in first.body
    assert "<td>reports</td>" in html_of(first)
    assert "Queue" not in second.body + html_of(second)
