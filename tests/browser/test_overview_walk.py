"""The overview, the bar about the runner, hold and resume as a person walks through them."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import deployment, lease
from scheduler_bridge.models import Cause, Job, Run, Runner, Standby, Status

from .conftest import counts, sees, sees_no

pytestmark = pytest.mark.browser
PHONE = {"width": 400, "height": 850}


@pytest.fixture
def now(transactional_db) -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def site(now) -> None:
    """A shop in the middle of its day: one job runs, some wait, one fails."""
    deployment.follow(now - timedelta(days=1))
    Job.objects.filter(name="tests.demo.by_hand").update(next_run_at=None)
    jobs = {name: make(name, now) for name in ("import_orders", "match_payments", "send_reminders", "update_rates")}
    reason = "ConnectionError: the bank's server does not answer <timeout>"
    lately: list = [(4, "match_payments", 0, Status.SKIPPED, "no payments since the last run")]
    lately += [(17 + 90 * number, "update_rates", 12, Status.FAILED, reason) for number in range(5)]
    for name, seconds, every in (("import_orders", 42, 20), ("match_payments", 8, 30), ("send_reminders", 95, 60)):
        lately += [(every * number, name, seconds + 3 * (number % 4)) for number in range(1, 12)]
    for minutes, name, *rest in sorted(lately, reverse=True):
        run(jobs[name], now - timedelta(minutes=minutes), *rest)
    Job.objects.filter(pk=jobs["update_rates"].pk).update(
        failing_since=now - timedelta(minutes=17 + 90 * 4, seconds=-12)
    )
    Run.objects.create(
        job=jobs["import_orders"],
        status=Status.RUNNING,
        cause=Cause.SCHEDULE,
        scheduled_for=now - timedelta(seconds=31),
        started_at=now - timedelta(seconds=25),
        output="\n".join(f"order {number} of 90 imported" for number in range(30, 71)),
    )
    queue = Run(job=jobs["match_payments"], status=Status.QUEUED, scheduled_for=now - timedelta(seconds=9))
    queue.cause, queue.requested_by = Cause.MANUAL, "pat"
    queue.save()
    due = {"send_reminders": -70, "update_rates": -20}
    for name, seconds in due.items():
        Job.objects.filter(pk=jobs[name].pk).update(next_run_at=now + timedelta(seconds=seconds))
    Job.objects.filter(pk=jobs["import_orders"].pk).update(next_run_at=now + timedelta(minutes=14))
    Runner.objects.update_or_create(pk=Runner.ROW)


def make(name: str, now: datetime) -> Job:
    times = {"created_at": now - timedelta(days=3), "owed_since": now - timedelta(hours=1)}
    key = '{"interval": 3600.0}'
    return Job.objects.create(name=f"shop.{name}", app="shop", command=name, schedule_key=key, **times)


def run(job: Job, due: datetime, seconds: float, status: str = Status.SUCCEEDED, reason: str = "") -> None:
    started = None if status == Status.SKIPPED else due + timedelta(seconds=1)
    finished = due + timedelta(seconds=1 + seconds)
    spans = {"scheduled_for": due, "started_at": started, "finished_at": finished}
    Run.objects.create(job=job, status=status, cause=Cause.SCHEDULE, reason=reason, **spans)


@pytest.fixture
def alive(now) -> None:
    lease.acquire(lease.Identity.mine(), None, now - timedelta(hours=3))
    later = now + timedelta(minutes=5)  # nothing renews it here, and a page may be long in coming
    Runner.objects.update(host="web1.example.com", heartbeat_at=later, loop_at=later)
    Standby.objects.create(token="x", host="web2.example.com", pid=4711, since=now, seen_at=now)


def test_the_overview_shows_the_day(page, live_server, site, alive, shoot):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/")
    sees(page, ".sb-runner", "alive")
    sees(page, ".sb-current", "of usually 48 s")
    counts(page, ".sb-line > li", 3)
    sees(page, ".sb-fails", "5 failures in a row")
    shoot("overview")
    page.set_viewport_size(PHONE)
    shoot("overview-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.problems == []


def test_the_overview_of_a_new_project_shows_the_first_steps(page, live_server, now, shoot):
    Job.objects.exclude(app="scheduler_bridge").update(removed_at=now)
    page.goto(f"{live_server.url}/admin/scheduler_bridge/")
    sees(page, ".sb-steps", "class ScheduledJob")
    shoot("overview-first-steps")
    assert page.problems == []


def test_the_front_page_is_marked_and_leads_to_what_to_do(page, live_server, site, alive, now, shoot):
    Runner.objects.update(code="newer", heartbeat_at=now - timedelta(minutes=2))
    Standby.objects.all().delete()
    page.goto(f"{live_server.url}/admin/")
    sees(page, "#sb-mark", "no runner is alive")
    shoot("front")
    page.click("#sb-mark a")
    sees(page, ".sb-runner", "Nothing is started. Start the runner")
    sees(page, ".sb-runner", "has other code than was deployed")
    shoot("overview-absent")
    assert page.problems == []


def test_the_overview_follows_what_happens_and_leaves_alone_what_is_typed(page, live_server, site, alive):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/")
    page.click("text=Hold…")
    page.fill("#sb-reason", "stocktaking")
    sees(page, ".sb-work", "order 70 of 90 imported")
    running = Run.objects.filter(status=Status.RUNNING)
    running.update(output="order 71 of 90 imported")
    sees(page, ".sb-work", "order 71 of 90 imported")
    running.update(status=Status.SUCCEEDED, finished_at=datetime.now(UTC))
    sees(page, ".sb-work", "Nothing runs.")
    Runner.objects.update(token="")
    page.wait_for_selector(".sb-state-absent")
    assert page.input_value("#sb-reason") == "stocktaking"
    assert page.is_visible("#sb-reason")
    assert page.problems == []


def test_hold_and_resume(page, live_server, site, alive, shoot):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/job/")
    shoot("bar-list")
    page.goto(f"{live_server.url}/admin/scheduler_bridge/")
    page.click("text=Hold…")
    page.fill("#sb-reason", "stocktaking <until> Monday")
    page.fill("#sb-until", "nonsense")
    shoot("hold-form")
    page.click("button:text-is('Hold')")
    sees(page, ".errorlist", "expected a moment such as")
    shoot("hold-error")
    page.fill("#sb-until", "Monday 08:00")
    page.click("button:text-is('Hold')")
    sees(page, ".sb-hold", "stocktaking <until> Monday")
    shoot("held")
    page.click("text=Resume…")
    shoot("resume")
    page.set_viewport_size(PHONE)
    shoot("resume-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.uncheck("[aria-label='Run shop.send_reminders']")
    page.click("text=Resume, run what is ticked")
    sees(page, ".messagelist", "The runner goes on")
    sees_no(page, ".sb-runner", "On hold")
    skipped = Run.objects.filter(status=Status.SKIPPED, reason="skipped when the hold ended")
    assert [run.job.command for run in skipped.select_related("job")] == ["send_reminders"]
    assert page.problems == []
