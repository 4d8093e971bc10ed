import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler_bridge import deployment, registry
from scheduler_bridge.models import Cause, Hold, Job, Run, Runner, Status

LIST = "/admin/scheduler_bridge/run/"


@pytest.fixture
def known(db) -> Job:
    """A job with a command behind it."""
    deployment.follow(datetime.now(UTC))
    Runner.objects.get_or_create(pk=Runner.ROW)
    return Job.objects.get(name="tests.demo.specimen")


@pytest.fixture
def add(known, now):
    def add(status: Status = Status.SUCCEEDED, **columns) -> Run:
        given = {"job": known, "cause": Cause.SCHEDULE, "scheduled_for": now, **columns}
        if status not in (Status.QUEUED, Status.SKIPPED):
            given = {"started_at": now + timedelta(seconds=12), **given}
        if status not in (Status.QUEUED, Status.RUNNING):
            given = {"finished_at": now + timedelta(seconds=15), **given}
        return Run.objects.create(status=status, **given)

    return add


@pytest.fixture
def person(db):
    """Give a client of somebody who has some permissions only."""

    def person(*names: str) -> Client:
        user = get_user_model().objects.create_user(f"with {len(names)}", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client = Client(enforce_csrf_checks=False)
        client.force_login(user)
        return client

    return person


def page(client, run: Run) -> str:
    response = client.get(f"{LIST}{run.pk}/change/")
    assert response.status_code == 200
    return response.content.decode()


def shown(text: str, name: str) -> str:
    """Give the text of a fact."""
    found = re.search(rf'<div class="field-{name}"><dt>.*?</dt><dd>(.*?)</dd>', text, re.DOTALL)
    return " ".join(re.sub("<[^>]*>", " ", found[1]).split()) if found else ""


# What is known of a run


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "0"),
        (3, "3"),
        (-11, "killed by SIGSEGV"),
        (-61, "killed by signal 61"),
        (137, "137, as a shell says of SIGKILL"),
        (255, "255"),
        (None, ""),
    ],
)
def test_an_exit_code_is_said_in_words(admin_client, add, code, words):
    assert shown(page(admin_client, add(exit_code=code)), "exit_code") == words


def test_what_a_run_used_is_shown_where_it_is_known(admin_client, add):
    text = page(admin_client, add(cpu_seconds=1.5, peak_memory=187_432_960))
    assert shown(text, "cpu") == "1.5 s 50 % of one processor"
    assert shown(text, "memory").startswith("178.8")
    assert shown(page(admin_client, add(cpu_seconds=0.0123, peak_memory=1)), "cpu") == "12 ms"
    text = page(admin_client, add())
    assert (shown(text, "cpu"), shown(text, "memory")) == ("", "")


def test_the_usual_duration_is_said_once_there_are_enough_runs(admin_client, add):
    run = add()
    assert shown(page(admin_client, run), "duration") == "3.0 s"
    for _ in range(3):
        add()
    assert shown(page(admin_client, run), "duration") == "3.0 s usually 3.0 s"


def test_a_run_says_what_it_waited_for(admin_client, add, now):
    before = add(started_at=now - timedelta(seconds=30), finished_at=now + timedelta(seconds=11))
    text = page(admin_client, add())
    assert "12.0 s late, 11.0 s of it behind tests.demo.specimen" in text
    assert f'<a href="{LIST}{before.pk}/change/">{before.pk}</a>' in text
    assert "What it waited for" not in page(admin_client, add(started_at=now))


@pytest.mark.parametrize(
    ("by", "reason", "words"),
    [("alice", "<b>stocktaking", "alice: &lt;b&gt;stocktaking"), ("alice", "", "alice"), ("", "", "a program")],
)
def test_the_holds_that_a_run_waited_for_are_named(admin_client, add, now, by, reason, words):
    Hold.objects.create(begun_at=now, ended_at=now + timedelta(seconds=1), by="bob", reason="bank")
    Hold.objects.create(begun_at=now + timedelta(seconds=1), ended_at=now + timedelta(seconds=12), by=by, reason=reason)
    assert f"12.0 s late, 12.0 s of it on hold by {words}<" in page(admin_client, add())


@pytest.mark.parametrize(("since", "words"), [(9, "9.0 s of it before the runner had started"), (0, "not recorded")])
def test_the_rest_of_a_wait_is_named(admin_client, add, now, since, words):
    Runner.objects.update(token="me", since=now + timedelta(seconds=since))
    assert words in page(admin_client, add(marker="me/1"))


def test_a_failed_run_shows_what_the_last_good_one_did_not_say(admin_client, add):
    good = add(output="12 orders\n")
    add(output="")
    text = page(admin_client, add(Status.FAILED, output="13 orders\n<b>no till</b>\n"))
    new = re.search(r'<pre class="sb-output sb-difference"[^>]*>(.*?)</pre>', text, re.DOTALL)[1]
    assert "&lt;b&gt;no till&lt;/b&gt;" in new
    assert "orders" not in new
    assert f'{LIST}{good.pk}/change/">run {good.pk}</a>' in text


def test_of_much_that_is_new_it_is_said_how_much_is_not_shown(admin_client, add):
    add(output="orders\n")
    new = "".join(f"no {'x' * number}\n" for number in range(130))
    assert "and 30 more lines" in page(admin_client, add(Status.FAILED, output=f"orders\n{new}"))


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.SKIPPED, Status.CANCELLED])
def test_a_run_that_did_not_fail_is_not_compared(admin_client, add, status):
    add(output="12 orders\n")
    assert "sb-difference" not in page(admin_client, add(status, output="13 orders\nno till\n"))


def test_a_job_that_never_ended_well_is_not_compared(admin_client, add):
    assert "New since" not in page(admin_client, add(Status.FAILED, output="no till"))


def test_the_processes_that_were_ended_are_a_list(admin_client, add):
    text = page(admin_client, add(Status.TIMED_OUT, output="so far\n\n[ended: 12 sleep <60>]\n[ended: 13 sh]"))
    assert re.findall(r"<li><code>(.*?)</code></li>", text) == ["12 sleep &lt;60&gt;", "13 sh"]
    assert "[ended" not in text
    assert ">so far\n</pre>" in text


NASTY = '<script>alert(1)</script>"onload=x \x1b[31m<img>\u202e'


def test_nothing_that_a_job_or_a_person_writes_is_more_than_text(admin_client, add):
    add(output="12 orders\n")
    run = add(
        Status.FAILED,
        output=f"{NASTY}\n\n[ended: {NASTY}]",
        reason=NASTY,
        warning=NASTY,
        host=NASTY,
        requested_by=NASTY,
        cancel_by=NASTY,
        cancel_at=datetime.now(UTC),
    )
    Job.objects.filter(pk=run.job_id).update(name=NASTY)
    add(parent=run)
    text = page(admin_client, run)
    assert "<script>alert" not in text
    assert "<img>" not in text
    assert '"onload' not in text


def test_a_page_needs_nothing_that_a_strict_policy_forbids(admin_client, add):
    for run in (add(), add(Status.RUNNING), add(Status.QUEUED), add(Status.FAILED, output="x\x1b[31my")):
        text = page(admin_client, run)
        main = text[text.index('<div id="content"') : text.index("<footer")]
        assert not re.search(r"\sstyle=|<style|<script|\son[a-z]+=", main)


def test_a_page_costs_few_statements_however_long_the_history(admin_client, add, django_assert_max_num_queries):
    for _ in range(30):
        add(output="12 orders\n")
    parent = add(Status.FAILED, output="no till\n")
    for _ in range(3):
        add(parent=parent)
    with CaptureQueriesContext(connection) as queries:
        page(admin_client, parent)
    assert len(queries) <= 14, [query["sql"] for query in queries]


# Live


def live(client, run: Run, status: str):
    return client.get(f"{LIST}{run.pk}/live/?shown={status}")


def test_a_run_that_goes_on_is_followed_with_its_output(admin_client, add):
    run = add(Status.RUNNING, output="so far \x1b[32mgood\x1b[0m <b>")
    text = page(admin_client, run)
    assert f'data-sb-live="{LIST}{run.pk}/live/?shown=running"' in text
    response = live(admin_client, run, "running")
    assert 'so far <span class="sb-ansi-green">good</span> &lt;b&gt;</pre>' in response.content.decode()
    assert "running for" in response.content.decode()
    assert "X-SB-Done" not in response
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(
    ("status", "shown_status", "done"),
    [
        (Status.QUEUED, "queued", False),
        (Status.RUNNING, "queued", True),
        (Status.SUCCEEDED, "running", True),
        (Status.CANCELLED, "queued", True),
        (Status.RUNNING, "nonsense", True),
    ],
)
def test_the_script_is_told_when_the_page_is_out_of_date(admin_client, add, status, shown_status, done):
    assert (live(admin_client, add(status), shown_status).get("X-SB-Done") == "1") == done


def test_a_run_that_has_ended_is_not_followed(admin_client, add):
    assert "data-sb-live" not in page(admin_client, add())


def test_a_run_that_has_printed_nothing_yet_says_so(admin_client, add):
    text = live(admin_client, add(Status.RUNNING), "running").content.decode()
    assert "It has printed nothing yet" in text
    assert "ended after 2 minutes at the latest" in text


def test_a_queued_run_says_what_keeps_it_waiting(admin_client, add):
    assert "No runner is alive" in live(admin_client, add(Status.QUEUED), "queued").content.decode()
    later = add(Status.QUEUED, scheduled_for=datetime.now(UTC) + timedelta(hours=2))
    assert "It is due at" in live(admin_client, later, "queued").content.decode()


def test_only_who_may_see_runs_may_follow_them(client, person, add):
    run = add(Status.RUNNING)
    assert live(client, run, "running").status_code == 302
    assert live(person(), run, "running").status_code == 403
    assert live(person("view_run"), run, "running").status_code == 200
    assert person("view_run", "view_job").get(f"{LIST}{run.pk + 99}/live/").status_code == 404
    assert person("view_run", "view_job", "run_job").post(f"{LIST}{run.pk}/live/").status_code == 405


# What people do


def test_a_job_is_run_again(admin_client, admin_user, add):
    run = add(Status.FAILED)
    response = admin_client.post(f"{LIST}{run.pk}/again/")
    queued = Run.objects.get(status=Status.QUEUED)
    assert (queued.job, queued.requested_by) == (run.job, admin_user.get_username())
    assert response["Location"] == f"{LIST}{queued.pk}/change/"
    assert LogEntry.objects.get().change_message == f"run again: run {queued.pk} queued"


def test_a_disabled_job_is_not_run_again(admin_client, add, known):
    Job.objects.filter(pk=known.pk).update(enabled=False)
    run = add()
    assert "is disabled" in admin_client.post(f"{LIST}{run.pk}/again/", follow=True).content.decode()
    assert not Run.objects.filter(status=Status.QUEUED).exists()


def test_a_queued_run_is_taken_out(admin_client, admin_user, add):
    run = add(Status.QUEUED)
    assert 'id="sb-cancel"' in page(admin_client, run)
    text = admin_client.post(f"{LIST}{run.pk}/cancel/", follow=True).content.decode()
    run.refresh_from_db()
    assert (run.status, run.cancel_by) == (Status.CANCELLED, admin_user.get_username())
    assert "taken out of the queue" in text
    assert shown(text, "cancel").startswith(admin_user.get_username())
    assert LogEntry.objects.get().change_message == "cancel: queued → cancelled"


def test_a_running_run_is_asked_to_end_once(admin_client, admin_user, add):
    run = add(Status.RUNNING)
    assert "All its processes are asked to end" in page(admin_client, run)
    text = admin_client.post(f"{LIST}{run.pk}/cancel/", follow=True).content.decode()
    run.refresh_from_db()
    assert (run.status, run.cancel_by) == (Status.RUNNING, admin_user.get_username())
    assert f"Cancelled by {admin_user.get_username()}: its processes are being ended." in text
    assert 'id="sb-cancel"' not in text
    assert LogEntry.objects.get().change_message == "cancel: running → being ended"


def test_a_run_inside_the_runner_cannot_be_cancelled_and_says_why(admin_client, add, monkeypatch):
    plan_of = registry.plan_of

    def internal(row):
        plan = plan_of(row)
        return replace(plan, definition=replace(plan.definition, internal=True))

    monkeypatch.setattr(registry, "plan_of", internal)
    run = add(Status.RUNNING)
    text = page(admin_client, run)
    assert "It cannot be cancelled" in text
    assert "It has printed nothing yet" in text
    assert 'id="sb-cancel"' not in text
    assert "inside the runner" in admin_client.post(f"{LIST}{run.pk}/cancel/", follow=True).content.decode()
    run.refresh_from_db()
    assert run.cancel_at is None


def test_a_run_that_has_ended_is_not_cancelled(admin_client, add):
    run = add()
    assert "has ended already" in admin_client.post(f"{LIST}{run.pk}/cancel/", follow=True).content.decode()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("deed", ["cancel", "again"])
def test_a_deed_needs_a_post_the_permission_and_the_token(admin_client, admin_user, person, add, deed):
    run = add(Status.QUEUED)
    address = f"{LIST}{run.pk}/{deed}/"
    assert admin_client.get(address).status_code == 405
    assert person("view_run").post(address).status_code == 403
    assert person("run_job", "view_job").post(address).status_code == 403
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(admin_user)
    assert careful.post(address).status_code == 403
    assert admin_client.post(f"{LIST}{run.pk + 99}/{deed}/").status_code == 404
    run.refresh_from_db()
    assert (run.status, Run.objects.count()) == (Status.QUEUED, 1)
    assert person("view_run", "run_job", "change_job").post(address).status_code == 302


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.FAILED])
def test_who_may_only_see_runs_sees_all_and_is_offered_nothing(person, add, status):
    add(output="12 orders\n")
    text = page(person("view_run"), add(status, output="no till\n"))
    assert "no till" in text
    assert "<form" not in text[text.index('id="content"') :]
    assert "/scheduler_bridge/job/" not in text[text.index('id="content"') :]


# What was handed over


@pytest.fixture
def away(add, now, tasks):
    def away(status: Status = Status.RUNNING, **columns) -> Run:
        given = {"queue": "reports", "handed_at": now + timedelta(seconds=2), "hand_tries": 1}
        if status == Status.QUEUED:
            given |= {"hand_at": now}
        else:
            given |= {"host": "far-1", "heartbeat_at": now + timedelta(seconds=14)}
        run = add(status, **{**given, **columns})
        Job.objects.filter(pk=run.job_id).update(handed_run_id=run.pk)
        return run

    return away


def test_where_a_run_goes_on_and_how_it_got_there_is_shown(admin_client, away):
    text = page(admin_client, away())
    assert (shown(text, "queue"), shown(text, "host")) == ("reports", "far-1")
    assert shown(text, "handed") == "2026-03-10 13:00:02 10.0 s for a worker"
    assert shown(text, "heartbeat").startswith("2026-03-10 13:00:14")
    assert "12.0 s late, 2.0 s of it until it was handed over, 10.0 s of it for a worker" in text


def test_a_run_that_ended_has_no_heartbeat_any_more(admin_client, away):
    text = page(admin_client, away(Status.SUCCEEDED))
    assert shown(text, "queue") == "reports"
    assert "field-heartbeat" not in text


def test_a_run_that_was_handed_over_again_says_how_often(admin_client, away):
    assert shown(page(admin_client, away(hand_tries=3)), "queue") == "reports handed over 3 times"


def test_a_run_that_waits_says_for_whom(admin_client, away, now):
    Runner.objects.update(held=False, token="")
    text = page(admin_client, away(Status.QUEUED, handed_at=datetime.now(UTC)))
    assert "It waits for a worker of queue reports since" in text  # which needs no runner
    Run.objects.update(handed_at=now)
    assert "Nobody serves queue reports: it waits for a worker since" in page(admin_client, Run.objects.get())
    Run.objects.update(handed_at=None)
    assert "No runner is alive" in page(admin_client, Run.objects.get())


def test_a_run_of_the_runner_says_nothing_of_queues(admin_client, add):
    text = page(admin_client, add())
    assert not any(f"field-{name}" in text for name in ("queue", "handed", "heartbeat"))


def test_a_run_that_waits_elsewhere_is_called_off(admin_client, away):
    run = away(Status.QUEUED)
    text = admin_client.post(f"{LIST}{run.pk}/cancel/", follow=True).content.decode()
    run.refresh_from_db()
    assert run.status == Status.CANCELLED
    assert "a worker that gets it leaves it alone" in text
    assert Job.objects.get(pk=run.job_id).handed_run_id is None


def test_a_run_that_goes_on_elsewhere_is_ended_by_its_worker(admin_client, away):
    run = away()
    text = admin_client.post(f"{LIST}{run.pk}/cancel/", follow=True).content.decode()
    run.refresh_from_db()
    assert (run.status, run.cancel_at is not None) == (Status.RUNNING, True)
    assert "The worker on far-1 ends the processes of the run." in text


def test_a_page_of_a_run_that_was_handed_over_costs_few_statements(admin_client, away):
    run = away(Status.QUEUED)
    with CaptureQueriesContext(connection) as queries:
        page(admin_client, run)
    assert len(queries) <= 20, [query["sql"] for query in queries]
