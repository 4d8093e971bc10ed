"""The timeline and the history as a person looks through them."""

import csv
import random
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import deployment, lease, schedules
from scheduler_bridge.models import Cause, Job, Run, Runner, Status
from scheduler_bridge.schedules import Interval

from .conftest import counts, log_in, sees

pytestmark = pytest.mark.browser
RUNS = "/admin/scheduler_bridge/run/"
PHONE = {"width": 400, "height": 850}
# Every so many minutes, for so many seconds; and how it may end.
JOBS = {
    "import_orders": (15, 100, Status.SUCCEEDED),
    "match_payments": (15, 25, Status.SUCCEEDED),
    "sync_stock": (60, 700, Status.TIMED_OUT),
    "update_rates": (30, 40, Status.FAILED),
    "send_reminders": (20, 0, Status.SKIPPED),
    "poll_mailbox": (1, 3, Status.SUCCEEDED),
}


@pytest.fixture
def now(transactional_db) -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def site(now) -> list[Run]:
    """A shop whose one worker has lived through a day; the runs that did not succeed."""
    deployment.follow(now - timedelta(days=2))
    lease.acquire(lease.Identity.mine(), None, now)
    Runner.objects.update(loop_at=now)
    return _lived(sorted(_fires(now)), now)


def _fires(now):
    for place, (name, (every, seconds, status)) in enumerate(JOBS.items()):
        job = make(name, now, every)
        for number in range(26 * 60 // every):
            yield now - timedelta(minutes=every * number + every / 2, seconds=-5 * place), job.pk, seconds, status


def make(name: str, now: datetime, every: int) -> Job:
    key = schedules.fingerprint(Interval(every=timedelta(minutes=every)), UTC)
    fired = now - timedelta(minutes=every / 2)
    times = {"created_at": now - timedelta(days=3), "owed_since": fired, "last_fire_at": fired}
    return Job.objects.create(name=f"shop.{name}", app="shop", command=name, schedule_key=key, **times)


def _lived(fires: list, now: datetime) -> list[Run]:
    """Let one worker run what fell due, one after the other."""
    chance, free, runs = random.Random(3), now - timedelta(days=3), []
    for due, job_id, seconds, status in fires:
        ended = status if chance.random() < 0.3 or status == Status.SKIPPED else Status.SUCCEEDED
        started = max(due, free)
        run = Run(job_id=job_id, status=ended, cause=Cause.SCHEDULE, scheduled_for=due, finished_at=started)
        if ended != Status.SKIPPED:
            free = started + timedelta(seconds=seconds * chance.uniform(0.6, 1.2))
            run.started_at, run.finished_at, run.output = started, free, "12 orders imported\n"
        run.reason = {Status.FAILED: "exit code 3", Status.SKIPPED: "no payment is overdue"}.get(ended, "")
        runs.append(run)
    goes_on = runs[-1]
    goes_on.status, goes_on.finished_at = Status.RUNNING, None
    Run.objects.bulk_create(runs)
    return [run for run in runs if run.status in {Status.FAILED, Status.TIMED_OUT}]


def no_wider_than_its_window(window) -> bool:
    return window.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_timeline_is_looked_through(page, live_server, site, shoot):
    page.goto(f"{live_server.url}{RUNS}")
    page.click("#sb-timeline")
    sees(page, ".sb-board", "shop.sync_stock")
    for span in ("1h", "6h", "24h", "7d"):
        page.click(f"#sb-span-{span}")
        sees(page, f"#sb-span-{span}[aria-current]", "")
        assert no_wider_than_its_window(page)
        shoot(f"timeline-{span}")
    page.click("#sb-span-6h")
    page.click("#sb-earlier")
    counts(page, ".sb-label.sb-now", 0)
    page.click("#sb-present")
    counts(page, ".sb-label.sb-now", 1)
    assert page.problems == []


def test_a_bar_leads_to_its_run_and_a_number_to_its_runs(page, live_server, site):
    page.goto(f"{live_server.url}{RUNS}timeline/?span=6h&q=update_rates")
    title = page.locator(".sb-strip a:has(.sb-ran.sb-failed) title").first.text_content()
    assert "exit code 3" in title
    page.locator(".sb-strip a:has(.sb-ran.sb-failed)").first.click(force=True)
    sees(page, "#content", "exit code 3")
    page.go_back()
    number = int(page.inner_text(".sb-count").split()[0])
    page.click(".sb-count")
    counts(page, "#result_list tbody tr", number)
    assert page.problems == []


def test_the_worker_leads_closer(page, live_server, site):
    page.goto(f"{live_server.url}{RUNS}timeline/?span=24h")
    page.locator(".sb-worker a").nth(6).click()
    sees(page, "#sb-span-6h[aria-current]", "")
    sees(page, ".sb-board", "shop.poll_mailbox")


def test_those_who_cannot_see_it_read_a_table_by_keyboard(page, live_server, site):
    page.goto(f"{live_server.url}{RUNS}timeline/?span=1h&q=import")
    assert page.locator(".sb-strip").nth(1).get_attribute("aria-label").startswith("shop.import_orders: ")
    page.focus("#sb-table summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#sb-table td') !== null")
    with page.expect_navigation():  # the page that is left names the job, too
        page.keyboard.press("Enter")
    sees(page, "#content", "shop.import_orders")


def test_a_moment_and_a_name_are_typed(page, live_server, site):
    page.goto(f"{live_server.url}{RUNS}timeline/")
    page.fill("#sb-at", "2026-03-10T12:30")
    page.fill("#sb-query", "stock")
    page.press("#sb-query", "Enter")
    sees(page, ".sb-window", "2026-03-10 09:30:00 – 15:30:00")
    sees(page, ".sb-nothing", "No job with this in its name")
    assert (page.input_value("#sb-at"), page.input_value("#sb-query")) == ("2026-03-10T12:30", "stock")


def test_a_phone_shows_all_of_it(page, live_server, site, shoot):
    page.set_viewport_size(PHONE)
    for span in ("1h", "24h", "7d"):
        page.goto(f"{live_server.url}{RUNS}timeline/?span={span}")
        assert no_wider_than_its_window(page)
        shoot(f"timeline-phone-{span}")
    page.click("#sb-table summary")
    assert no_wider_than_its_window(page)


def test_it_works_without_scripts(chromium, live_server, admin_user, site):
    with closing(chromium.new_context(java_script_enabled=False)) as context:
        window = context.new_page()
        log_in(window, f"{live_server.url}/admin/", "password")
        window.goto(f"{live_server.url}{RUNS}timeline/?span=1h&q=shop")
        counts(window, ".sb-strip:not(.sb-worker)", len(JOBS))
        window.click("#sb-earlier")
        sees(window, ".sb-board", "shop.poll_mailbox")


def test_the_history_is_narrowed_down_and_taken_away(page, live_server, site, shoot):
    page.goto(f"{live_server.url}{RUNS}")
    shoot("history")
    page.click("text=any failure")
    sees(page, "#result_list", "timed out")
    shoot("history-failures")
    with page.expect_download() as download:
        page.click("#sb-export")
    with open(download.value.path(), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["run"]) for row in rows] == [run.pk for run in reversed(site)]
    page.set_viewport_size(PHONE)
    assert no_wider_than_its_window(page)
    shoot("history-phone")
    assert page.problems == []
