"""The list of jobs and the page of a job as a person walks through them."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import deployment, forecast, registry, schedules
from scheduler_bridge.conf import load
from scheduler_bridge.models import Cause, Deployment, Job, Run, Status
from scheduler_bridge.schedules import DailyTimes, Interval

from .conftest import counts, sees

pytestmark = pytest.mark.browser
PHONE = {"width": 400, "height": 800}
DESK = {"width": 1280, "height": 900}
DAY = [
    ("import_orders", Interval(timedelta(minutes=5)), [11, 12, 10, 14, 13, 12, 11, 40, 12, 11], ""),
    ("match_payments", Interval(timedelta(minutes=10)), [3.2, 3.1, 2.9, 3.4, 3.3, 3.1], "FF"),
    ("sales_report", schedules.parse_times("06:30"), [2.5, 2.9, 2.2, 2.7, 120, 3.1, 2.4], "T"),
    ("send_reminders", schedules.parse_times(["09:30", "18:30"]), [0.4, 0.5, 0.4, 0.6], "S"),
    ("nightly_backup", schedules.parse_times("02:30"), [1250, 1310, 1290, 1340], ""),
]
LETTERS = {"F": Status.FAILED, "T": Status.TIMED_OUT, "S": Status.SKIPPED}


@pytest.fixture(autouse=True)
def shop(transactional_db) -> dict[str, Job]:
    """Fill the site with jobs that have a past."""
    now = datetime.now(UTC)
    deployment.follow(now)
    jobs = {name: _job(name, schedule, spans, ends, now) for name, schedule, spans, ends in DAY}
    Deployment.objects.create(at=now - timedelta(hours=3), code="5f0c2b7d9a1e")
    Job.objects.filter(pk=jobs["match_payments"].pk).update(failing_since=now - timedelta(minutes=70))
    Job.objects.filter(pk=jobs["sales_report"].pk).update(
        enabled=False, next_run_at=None, disabled_reason="stocktaking", disabled_until=now + timedelta(days=3)
    )
    return jobs


def _job(name: str, schedule: Interval | DailyTimes, spans: list[float], ends: str, now: datetime) -> Job:
    job = Job.objects.create(
        name=f"shop.{name}",
        app="shop",
        command=name,
        description=f"What the shop does to {name.replace('_', ' ')}",
        schedule_key=schedules.fingerprint(schedule, load().time_zone),
        broken="ModuleNotFoundError: No module named 'shop'",
        created_at=now - timedelta(days=9),
        owed_since=now,
    )
    # Its code is not there: it is taken for one that could be loaded.
    job.broken = ""
    coming = forecast.next_fires(registry.plan_of(job), job, now, 1)
    Job.objects.filter(pk=job.pk).update(broken="", next_run_at=coming[0])
    every = schedule.every if isinstance(schedule, Interval) else timedelta(days=1)
    total = 34
    for number in range(total):
        due = now - every * (total - number)
        letter = ends[number % 9] if number % 9 < len(ends) and number > 4 else ""
        status = LETTERS.get(letter, Status.SUCCEEDED)
        seconds = spans[number % len(spans)]
        ran = {} if status == Status.SKIPPED else {"started_at": due + timedelta(seconds=1)}
        run = Run.objects.create(
            job=job,
            status=status,
            cause=Cause.SCHEDULE,
            scheduled_for=due,
            finished_at=due + timedelta(seconds=1 + seconds),
            reason="no orders" if status == Status.SKIPPED else "",
            **ran,
        )
    Job.objects.filter(pk=job.pk).update(last_run=run)
    return Job.objects.get(pk=job.pk)


@pytest.fixture
def visit(page, live_server):
    def go(path: str = "") -> None:
        page.goto(f"{live_server.url}/admin/scheduler_bridge/job/{path}")

    return go


def overflow(page) -> int:
    """Say by how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_the_list_shows_how_each_job_stands_and_what_it_did(visit, page, shoot):
    visit()
    sees(page, "#result_list", "failing since")
    counts(page, "tr:has-text('import_orders') .sb-bars a", 20)
    shoot("job-list")
    page.set_viewport_size(PHONE)
    assert overflow(page) == 0
    shoot("job-list-phone")
    assert page.problems == []


def test_the_list_is_filtered_by_what_only_the_code_knows(visit, page, shoot):
    visit()
    page.click(".sb-menu summary:text-is('Kind')")
    shoot("job-filter")
    page.click(".sb-menu a:text-is('at an interval')")
    counts(page, "#result_list tbody tr", 3)
    page.click(".sb-menu summary:text-is('Status')")
    page.click(".sb-menu a:text-is('failing')")
    counts(page, "#result_list tbody tr", 1)
    page.set_viewport_size(PHONE)
    page.click(".sb-menu summary:has-text('App')")
    assert overflow(page) == 0
    shoot("job-filter-phone")
    page.click("text=Clear all filters")
    counts(page, "#result_list tbody tr", 8)
    assert page.problems == []


def test_the_page_of_a_job_shows_its_past_and_its_future(visit, page, shop, shoot):
    job = shop["match_payments"]
    visit(f"{job.pk}/change/?forecast=1")
    counts(page, ".sb-fires li", 10)
    sees(page, "#sb-outlook", "The one worker is busy")
    visit(f"{shop['sales_report'].pk}/change/")
    sees(page, ".sb-legend", "Each line stands for several times")
    shoot("job-page-powers")
    visit(f"{job.pk}/change/?forecast=1")
    assert page.get_attribute(".sb-plot", "aria-label").startswith("Durations from ")
    shoot("job-page")
    page.set_viewport_size(PHONE)
    assert overflow(page) == 0
    shoot("job-page-phone")
    assert page.problems == []


def test_a_change_is_looked_at_before_it_is_saved(visit, page, shop, shoot):
    job = shop["import_orders"]
    visit(f"{job.pk}/change/")
    page.fill("#id_interval_text", "20 seconds")
    page.fill("#id_override_reason", "the warehouse is behind")
    page.fill("#id_override_until", "Monday 08:00")
    page.click("[name=_preview]")
    sees(page, "#sb-preview", "schedule: every 5 minutes (code) → every 20 seconds")
    assert page.url.endswith("#sb-preview")
    shoot("job-preview")
    page.set_viewport_size(PHONE)
    assert overflow(page) == 0
    shoot("job-preview-phone")
    assert Job.objects.get(pk=job.pk).override_interval is None
    page.set_viewport_size(DESK)
    page.click("[name=_continue]")
    sees(page, ".field-layers", "the warehouse is behind")
    sees(page, ".sb-log", "schedule: every 5 minutes (code) → every 20 seconds")
    assert Job.objects.get(pk=job.pk).override_interval == timedelta(seconds=20)
    shoot("job-changed")
    assert page.problems == []


def test_the_buttons_of_a_job_are_reached_by_the_keyboard(visit, page, shop):
    job = shop["match_payments"]
    visit(f"{job.pk}/change/")
    page.focus("#sb-skip-next")
    page.keyboard.press("Enter")
    sees(page, ".sb-facts", "left out, as admin asked")
    page.focus("#sb-undo-skip-next")
    page.keyboard.press("Enter")
    sees(page, ".messagelist", "will not be left out")
    page.focus("#sb-reset-failure")
    page.keyboard.press("Enter")
    counts(page, "#sb-reset-failure", 0)
    sees(page, ".sb-log", "failing since:")
    assert Job.objects.get(pk=job.pk).failing_since is None
    assert page.problems == []


def test_what_is_typed_wrong_is_said_at_its_field(visit, page, shop, shoot):
    visit(f"{shop['import_orders'].pk}/change/")
    page.fill("#id_disabled_until", "someday")
    page.click("[name=_preview]")
    sees(page, ".field-disabled_until .errorlist", "expected a moment such as")
    counts(page, "#sb-preview", 0)
    page.click("text=Nothing is saved: see what is wrong in the form.")
    assert page.url.endswith("#sb-change")
    shoot("job-error")
