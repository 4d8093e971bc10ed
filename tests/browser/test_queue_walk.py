"""Queues, hosts and handed-over runs as a person walks through them: on a screen and a phone, by eye and by rules."""

from datetime import datetime, timedelta

import pytest

from scheduler_bridge.models import Cause, Job, Run, Status

from . import test_accessible, test_overview_walk
from .conftest import counts, sees, sees_no
from .test_accessible import SIZES, findings
from .test_overview_walk import make, run

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
now, site, alive, rules = (
    test_overview_walk.now,
    test_overview_walk.site,
    test_overview_walk.alive,
    test_accessible.rules,
)
LONG = "import_the_catalogue_of_every_supplier"


@pytest.fixture
def elsewhere(site, alive, tasks, now) -> dict[str, Run]:
    """A shop whose reports are made by workers on two hosts; nobody serves its mails."""
    jobs = {name: make(name, now) for name in ("monthly_report", "yearly_report", LONG, "newsletter", "index")}
    for name, queue in zip(jobs, ("reports", "reports", "reports", "mail", "reports"), strict=True):
        Job.objects.filter(pk=jobs[name].pk).update(override_queue=queue)
    for minutes in range(10, 120, 10):
        run(jobs["monthly_report"], now - timedelta(minutes=minutes), 90 + minutes % 4)
    Job.objects.filter(name="tests.demo.specimen").update(override_queue="mail")
    found = {
        "goes on": hand(jobs["monthly_report"], now, 45, Status.RUNNING, host="worker-1.example.com"),
        "long": hand(jobs[LONG], now, 7200, Status.RUNNING, host="worker-2.example.com", hand_tries=3),
        "waits": hand(jobs["yearly_report"], now, 30),
        "unserved": hand(Job.objects.get(name="tests.demo.specimen"), now, 400, queue="mail"),
    }
    hand(jobs["newsletter"], now, 300, queue="mail")
    Run.objects.create(
        job=jobs["monthly_report"], status=Status.QUEUED, cause=Cause.MANUAL, queue="reports", scheduled_for=now
    )
    return found


def hand(job: Job, now: datetime, seconds: float, status: str = Status.QUEUED, **values) -> Run:
    since = now - timedelta(seconds=seconds)
    times = {"scheduled_for": since, "handed_at": since, "hand_tries": 1, "queue": "reports"}
    if status == Status.RUNNING:
        times |= {"started_at": since + timedelta(seconds=4), "heartbeat_at": now}
    else:
        times |= {"hand_at": now + timedelta(minutes=1)}
    found = Run.objects.create(job=job, status=status, cause=Cause.SCHEDULE, **{**times, **values})
    Job.objects.filter(pk=job.pk).update(handed_run_id=found.pk, next_run_at=now + timedelta(minutes=50))
    return found


@pytest.fixture
def addresses(elsewhere) -> dict[str, str]:
    job = "scheduler_bridge/job/%d/change/"
    return {
        "overview": "scheduler_bridge/",
        "jobs": "scheduler_bridge/job/",
        "job": job % elsewhere["unserved"].job_id,
        "runs": "scheduler_bridge/run/?queue=reports",
        "run that waits": f"scheduler_bridge/run/{elsewhere['unserved'].pk}/change/",
        "run that goes on": f"scheduler_bridge/run/{elsewhere['long'].pk}/change/",
        "timeline": "scheduler_bridge/run/timeline/",
        "resume": "scheduler_bridge/job/runner/resume/",
    }


def test_every_page_is_sound_on_a_screen_and_on_a_phone(page, live_server, addresses, rules, shoot):
    found, wide = {}, {}
    for name, address in addresses.items():
        for size in SIZES:
            page.set_viewport_size(size)
            assert page.goto(f"{live_server.url}/admin/{address}").status == 200, address
            shoot(f"queues-{name.replace(' ', '-')}-{size['width']}")
            found[name, size["width"]] = findings(page, rules)
            wide[name, size["width"]] = page.evaluate("document.documentElement.scrollWidth") - size["width"]
    assert {place: lines for place, lines in found.items() if lines} == {}
    assert {place: excess for place, excess in wide.items() if excess > 0 and place[1] == SIZES[1]["width"]} == {}


def test_the_overview_leads_from_a_queue_to_its_runs(page, live_server, elsewhere):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/")
    counts(page, ".sb-away > li", 2)
    counts(page, ".sb-outward > li", 1)
    sees(page, ".sb-unserved", "Nobody serves queue mail")
    sees(page, ".sb-places >> nth=0", "nobody serves it")
    sees(page, ".sb-places >> nth=1", "worker-2.example.com")
    page.click(".sb-places >> nth=1 >> text=worker-2.example.com")
    sees(page, "#result_list", LONG)
    sees_no(page, "#result_list", "monthly_report")
    page.fill("#sb-filter-host", "")
    page.press("#sb-filter-host", "Enter")
    sees(page, "#result_list", "monthly_report")
    page.fill("#sb-filter-queue", "mail")
    page.press("#sb-filter-queue", "Enter")
    sees(page, "#result_list", "queue mail")
    assert page.problems == []


def test_the_panel_follows_what_workers_do(page, live_server, elsewhere, now):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/")
    sees(page, ".sb-unserved", "Nobody serves queue mail")
    Run.objects.filter(queue="mail").update(status=Status.RUNNING, host="worker-3.example.com", heartbeat_at=now)
    page.wait_for_selector("text=worker-3.example.com")
    counts(page, ".sb-unserved", 0)
    assert page.problems == []


def test_a_job_whose_queue_nobody_serves_is_sent_elsewhere(page, live_server, elsewhere):
    waiting = elsewhere["unserved"]
    page.goto(f"{live_server.url}/admin/scheduler_bridge/job/{waiting.job_id}/change/")
    sees(page, ".sb-warning", "Nobody serves queue mail")
    page.select_option("#id_queue", label="reports")
    page.click("[name=_preview]")
    sees(page, ".sb-preview", "queue: mail → reports")
    page.click("[name=_save]")
    sees(page, ".messagelist", "was changed successfully")
    assert Job.objects.get(pk=waiting.job_id).override_queue == "reports"
    assert page.problems == []


def test_a_run_on_another_host_is_cancelled(page, live_server, elsewhere):
    going_on = elsewhere["goes on"]
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/{going_on.pk}/change/")
    sees(page, ".field-host", "worker-1.example.com")
    sees(page, ".field-handed", "4.0 s for a worker")
    page.click("text=Cancel …")
    page.click("#sb-cancel")
    sees(page, ".messagelist", "The worker on worker-1.example.com ends the processes of the run.")
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/{elsewhere['waits'].pk}/change/")
    sees(page, ".field-text", "It waits for a worker of queue reports since")
    page.click("#sb-cancel")
    sees(page, ".messagelist", "a worker that gets it leaves it alone")
    assert page.problems == []
