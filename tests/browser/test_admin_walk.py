"""The admin as a person walks through it."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import deployment, lease
from scheduler_bridge.models import Cause, Job, Report, Run, Runner, Status

from .conftest import counts, sees, sees_no

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def history(transactional_db):
    now = datetime.now(UTC)
    deployment.follow(now)
    job = Job.objects.get(name="tests.demo.specimen")
    outcomes = [
        (Status.SUCCEEDED, "12 orders imported\n", ""),
        (Status.FAILED, "Traceback (most recent call last):\nValueError: the till is short\n", "ValueError: short"),
        (Status.SKIPPED, "", "no orders"),
        (Status.TIMED_OUT, "waiting …\n", "no end within 2 minutes"),
    ]
    for number, (status, output, reason) in enumerate(outcomes):
        due = now - timedelta(minutes=30 * (number + 1))
        run = Run.objects.create(
            job=job,
            status=status,
            cause=Cause.SCHEDULE,
            scheduled_for=due,
            started_at=due,
            finished_at=due + timedelta(seconds=3 * number),
            output=output,
            reason=reason,
        )
        Job.objects.filter(pk=job.pk).update(last_run=run)
    Runner.objects.update_or_create(pk=Runner.ROW)


def open_list(page, live_server) -> None:
    page.goto(f"{live_server.url}/admin/scheduler_bridge/job/")


def test_the_list_shows_jobs_and_the_runner(page, live_server):
    open_list(page, live_server)
    sees(page, ".sb-bar", "no runner is alive")
    sees(page, "#result_list", "every 30 minutes")
    assert page.problems == []


def test_mails_that_are_not_sent_are_seen_and_lead_to_their_runs(page, live_server, shoot):
    failed = Run.objects.filter(status=Status.FAILED)
    failed.update(report=Report.DUE, report_tries=3, report_at=datetime.now(UTC) + timedelta(minutes=4))
    lease.acquire(lease.Identity.mine(), None, datetime.now(UTC))
    later = datetime.now(UTC) + timedelta(minutes=5)  # nothing renews it here, and a page may be long in coming
    Runner.objects.update(heartbeat_at=later, loop_at=later)
    open_list(page, live_server)
    sees(page, ".sb-bar", "Last turn of the loop")
    shoot("unsent-jobs")
    page.click("text=1 mail is not sent")
    counts(page, "#result_list tbody tr", 1)
    page.click("#result_list th a")
    sees(page, ".field-mail", "not sent yet, refused 3 times, tried again at")
    shoot("unsent-run")
    assert page.problems == []


def test_a_job_is_timed_anew_on_its_page(page, live_server):
    open_list(page, live_server)
    page.click("#result_list a:has-text('specimen')")
    page.fill("#id_times_text", "25:00")
    page.click("[name=_continue]")
    sees(page, ".errorlist", "expected a time from")
    page.fill("#id_times_text", "09:30, 18:30")
    page.click("[name=_continue]")
    sees(page, ".field-layers", "daily at 09:30, 18:30 (changed here)")
    assert Job.objects.get(name="tests.demo.specimen").override_times == ["09:30:00", "18:30:00"]
    assert page.problems == []


def test_run_now_queues_a_run(page, live_server):
    open_list(page, live_server)
    page.click("#result_list a:has-text('specimen')")
    page.click("#sb-run-now")
    sees(page, ".messagelist", "queued for the runner")
    assert Run.objects.filter(status=Status.QUEUED, requested_by="admin").count() == 1


def test_jobs_are_disabled_and_enabled_by_an_action(page, live_server):
    open_list(page, live_server)
    for action, enabled in (("disable", False), ("enable", True)):
        page.check("tr:has-text('specimen') input.action-select")
        page.select_option("select[name=action]", action)
        page.click("button[name=index]")
        page.wait_for_selector(".messagelist")
        assert Job.objects.get(name="tests.demo.specimen").enabled == enabled


def test_the_runner_is_held_and_resumed(page, live_server):
    open_list(page, live_server)
    page.click("text=Hold…")
    page.fill("#sb-reason", "stocktaking")
    page.click("button:text-is('Hold')")
    sees(page, ".sb-bar", "by admin: stocktaking")
    page.click("text=Resume…")
    page.click("button:text-is('Resume')")
    sees_no(page, ".sb-bar", "On hold")


def test_the_history_shows_a_run_and_its_output(page, live_server):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/")
    page.click("tr:has-text('ValueError') th a")
    sees(page, ".sb-output", "the till is short")
    assert page.problems == []


def test_a_long_history_is_walked_to_its_end_and_back(page, live_server, shoot):
    job = Job.objects.get(name="tests.demo.specimen")
    now = datetime.now(UTC)
    Run.objects.bulk_create(
        Run(job=job, status=Status.SUCCEEDED, cause=Cause.SCHEDULE, scheduled_for=now, output=f"order {n}")
        for n in range(120)
    )
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/")
    shoot("history-newest")
    for _ in range(2):
        page.click("#sb-older")
    counts(page, "#result_list tbody tr", 24)
    counts(page, "#sb-older", 0)
    shoot("history-oldest")
    page.click("#sb-newer")
    page.click("#sb-newest")
    counts(page, "#sb-newer", 0)
    assert page.problems == []


def test_the_history_is_filtered_by_what_is_typed(page, live_server, shoot):
    job = Job.objects.get(name="tests.demo.specimen")
    due = datetime(2026, 3, 10, 12, tzinfo=UTC)
    Run.objects.create(job=job, status=Status.SUCCEEDED, cause=Cause.MANUAL, requested_by="pat", scheduled_for=due)
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/")
    page.fill("#sb-filter-person", "pat")
    page.press("#sb-filter-person", "Enter")
    counts(page, "#result_list tbody tr", 1)
    page.fill("#sb-filter-from", "2026-03-10")
    page.fill("#sb-filter-to", "2026-03-10")
    page.click("form:has(#sb-filter-from) button")
    counts(page, "#result_list tbody tr", 1)
    assert page.input_value("#sb-filter-person") == "pat"
    shoot("history-filtered")
    page.click("form:has(#sb-filter-person) a")
    page.click("form:has(#sb-filter-from) a")
    page.fill("#searchbar", "till is short")
    page.press("#searchbar", "Enter")
    counts(page, "#result_list tbody tr", 1)
    assert page.problems == []
