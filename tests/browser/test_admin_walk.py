"""The admin as a person walks through it."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import deployment
from scheduler_bridge.models import Cause, Job, Run, Runner, Status

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
    assert "no runner is alive" in page.inner_text(".sb-bar")
    assert "every 30 minutes" in page.inner_text("#result_list")
    assert page.problems == []


def test_a_job_is_timed_anew_on_its_page(page, live_server):
    open_list(page, live_server)
    page.click("text=tests.demo.specimen")
    page.fill("#id_times_text", "25:00")
    page.click("[name=_continue]")
    assert "expected a time from" in page.inner_text(".errorlist")
    page.fill("#id_times_text", "09:30, 18:30")
    page.click("[name=_continue]")
    assert "daily at 09:30, 18:30 (changed here)" in page.inner_text("#job_form")
    assert Job.objects.get(name="tests.demo.specimen").override_times == ["09:30:00", "18:30:00"]
    assert page.problems == []


def test_run_now_queues_a_run(page, live_server):
    open_list(page, live_server)
    page.click("text=tests.demo.specimen")
    page.click("#sb-run-now")
    assert "queued for the runner" in page.inner_text(".messagelist")
    assert Run.objects.filter(status=Status.QUEUED, requested_by="admin").count() == 1


def test_jobs_are_disabled_and_enabled_by_an_action(page, live_server):
    open_list(page, live_server)
    for action, enabled in (("disable", False), ("enable", True)):
        page.check("tr:has-text('tests.demo.specimen') input.action-select")
        page.select_option("select[name=action]", action)
        page.click("button[name=index]")
        page.wait_for_selector(".messagelist")
        assert Job.objects.get(name="tests.demo.specimen").enabled == enabled


def test_the_runner_is_held_and_resumed(page, live_server):
    open_list(page, live_server)
    page.fill("#sb-reason", "stocktaking")
    page.click("button:text-is('Hold')")
    assert "on hold (admin): stocktaking" in page.inner_text(".sb-bar")
    page.click("text=Resume, run what is due")
    assert "on hold" not in page.inner_text(".sb-bar")


def test_the_history_shows_a_run_and_its_output(page, live_server):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/")
    page.click("tr:has-text('ValueError') th a")
    assert "the till is short" in page.inner_text(".sb-output")
    assert page.problems == []
