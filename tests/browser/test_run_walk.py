"""The page of a run: on a live site with a live runner, and of runs of every kind."""

import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scheduler_bridge import deployment
from scheduler_bridge.models import Cause, Job, Run, Status

from .conftest import counts, log_in, sees, sees_no

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[2]
AT_END = "(box => box.scrollHeight - box.scrollTop - box.clientHeight < 2)(document.querySelector('.sb-output'))"
JOBS = "tests.browser.chatty"
GOOD_OUTPUT = "[12:00:01] 412 orders read\n[12:00:02] \x1b[32mOK\x1b[0m the till is right\n"
BAD_OUTPUT = (
    "[09:30:01] 397 orders read\n"
    "[09:30:02] \x1b[1;33mWARNING\x1b[0m slow answer of the bank, tried again 3 times\n"
    f"[09:30:03] \x1b[36mDEBUG\x1b[0m {'a long line of numbers ' + '0123456789 ' * 30}\n"
    "\x1b[31mTraceback (most recent call last):\x1b[0m\n"
    '  File "/srv/shop/management/commands/count_till.py", line 42, in handle\n'
    "    self.check(total)\n"
    "\x1b[97;41mValueError: the till is short by 12.40\x1b[0m\n"
    "\n[ended: 4121 sleep 60]\n[ended: 4122 sh -c while :; do curl http://bank.example/; done]"
)


class Site:
    """The web server and the runner of a site, and programs in it."""

    def __init__(self, folder: Path) -> None:
        self.seen = folder / "seen"
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.browser.chatty.settings",
            "CHATTY_FOLDER": str(folder),
            "PYTHONPATH": str(ROOT),
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"

    def script(self, code: str) -> str:
        head = (
            "import django; django.setup()\n"
            "from datetime import *; from scheduler_bridge import api; from scheduler_bridge.models import *\n"
            "from django.contrib.auth import get_user_model\n"
        )
        command = [sys.executable, "-c", head + code]
        return subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "django", *words]
        return subprocess.Popen(command, env=self.environment, start_new_session=True, stderr=subprocess.DEVNULL)

    def run_now(self, job: str) -> int:
        return int(self.script(f"print(api.run_now('{JOBS}.{job}').pk)"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("chatty"))
    subprocess.run([sys.executable, "-m", "django", "migrate", "-v0"], env=site.environment, check=True)
    site.script("get_user_model().objects.create_superuser('admin', password='password')")
    processes = [site.start("runserver", "--insecure", "--noreload", site.address), site.start("runapscheduler")]
    yield site
    for process in processes:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


@pytest.fixture
def visit(window, site) -> Callable[[int], None]:
    deadline = time.monotonic() + 30
    while True:
        try:
            log_in(window, f"http://{site.address}/admin/", "password")
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            window.wait_for_timeout(300)
    return lambda run: window.goto(f"http://{site.address}/admin/scheduler_bridge/run/{run}/change/")


def saw(window, number: int) -> float:
    """Wait until a line is seen, and give how many seconds after it was said."""
    seen = window.wait_for_function(
        "number => document.querySelector('.sb-output')?.textContent.includes(`line ${number} said`) && Date.now()",
        arg=number,
        polling=20,
    ).json_value()
    text = window.inner_text(".sb-output")
    return seen / 1000 - float(re.search(rf"line {number} said at ([0-9.]+)", text)[1])


def test_what_a_job_says_is_seen_within_a_second(site, visit, window, shoot):
    visit(site.run_now("speak_slowly"))
    saw(window, 0)
    # What was said before the page was there could not be seen at once.
    first = window.locator(".sb-output span").count()
    delays = [saw(window, number) for number in range(first, first + 30)]
    shoot("run-live")
    assert statistics.median(delays) < 1
    assert max(delays) < 3  # on a machine that has much else to do
    assert window.locator(".sb-output span").count() >= 30
    # Who reads further up stays there, with what is selected; who is at the end stays at the end.
    window.evaluate("document.querySelector('.sb-output').scrollTop = 0")
    window.evaluate("getSelection().selectAllChildren(document.querySelector('.sb-output span'))")
    saw(window, first + 33)
    assert window.evaluate("document.querySelector('.sb-output').scrollTop") == 0
    assert window.evaluate("String(getSelection())") == "line 0"
    window.evaluate("document.querySelector('.sb-output').scrollTop = 1e6")
    saw(window, first + 36)
    assert window.evaluate(AT_END)
    window.click("summary")
    shoot("run-cancel")
    window.click("#sb-cancel")
    sees(window, "h1", "cancelled")
    sees(window, ".field-cancel", "admin")
    sees_no(window, "body", "running for")
    shoot("run-cancelled")
    assert window.problems == []


def test_a_job_that_hung_shows_where(site, visit, window, shoot):
    visit(site.run_now("hang"))
    sees(window, ".sb-output", "asking the bank")
    window.wait_for_selector("h1:has-text('timed out')", timeout=60_000)
    sees(window, ".sb-output", "in wait_for_the_bank")
    shoot("run-hung")
    window.set_viewport_size({"width": 400, "height": 900})
    assert window.evaluate("document.documentElement.scrollWidth") <= 400
    shoot("run-hung-narrow")
    assert window.problems == []


def test_a_run_inside_the_runner_says_that_it_cannot_be_cancelled(site, visit, window, shoot):
    site.seen.unlink(missing_ok=True)
    visit(site.run_now("count_inside"))
    sees(window, ".sb-output", "counted to 3")
    sees(window, ".sb-deeds", "It cannot be cancelled")
    sees(window, ".sb-now", "running for")
    shoot("run-inside")
    site.seen.touch()
    window.wait_for_selector("h1:has-text('succeeded')")
    sees(window, ".sb-output", "counted to 3")
    assert window.problems == []


def test_a_run_that_waited_for_the_end_of_a_hold_says_who_wanted_it_and_why(site, visit, window, shoot):
    site.seen.touch()
    site.script("api.hold('stocktaking', by='pat')")
    visit(site.run_now("count_inside"))
    sees(window, "h1", "queued")
    window.wait_for_timeout(2_000)
    shoot("run-on-hold")
    site.script("api.resume()")
    window.wait_for_selector("h1:has-text('succeeded')", timeout=30_000)
    sees(window, ".field-wait", "on hold by pat: stocktaking")
    shoot("run-was-on-hold")
    assert window.problems == []


@pytest.fixture
def failed(transactional_db) -> Run:
    """A run that failed after it had waited behind others, with all that its page can show."""
    now = datetime.now(UTC).replace(microsecond=0)
    deployment.follow(now)
    due = now - timedelta(minutes=3)
    mine, other = (Job.objects.get(name=f"tests.demo.{name}") for name in ("specimen", "by_hand"))

    def add(job: Job, start: float, took: float, **columns: object) -> Run:
        begin = due + timedelta(seconds=start)
        given = {
            "status": Status.SUCCEEDED,
            "cause": Cause.SCHEDULE,
            "scheduled_for": begin,
            "host": "shop-1",
            **columns,
        }
        return Run.objects.create(job=job, started_at=begin, finished_at=begin + timedelta(seconds=took), **given)

    for day in range(4, 0, -1):
        add(mine, -86400 * day, 38 + day, output=GOOD_OUTPUT)
    add(other, -40, 51)
    add(mine, 11, 0.7, scheduled_for=due - timedelta(hours=1))
    run = add(
        mine,
        12,
        61,
        scheduled_for=due,
        status=Status.FAILED,
        output=BAD_OUTPUT,
        exit_code=1,
        cpu_seconds=23.7,
        peak_memory=187_432_960,
        reason="exit code 1: ValueError: the till is short by 12.40",
        coalesced=2,
        report="due",
        report_tries=3,
        report_at=now,
    )
    add(other, 75, 4, cause=Cause.CHAIN, parent=run)
    return run


def test_a_failed_run_tells_what_is_known_of_it(page, live_server, failed, shoot):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/{failed.pk}/change/")
    sees(page, ".field-wait", "12.0 s late, 11.7 s of it behind tests.demo.by_hand and 1 other job")
    sees(page, ".sb-difference", "ValueError: the till is short by 12.40")
    sees_no(page, ".sb-difference", "orders read")
    sees(page, ".sb-ended", "sleep 60")
    shoot("run-failed")
    page.set_viewport_size({"width": 400, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    shoot("run-failed-narrow")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.click("#sb-again")
    sees(page, ".messagelist", "queued for the runner")
    sees(page, ".sb-now", "No runner is alive")
    shoot("run-queued")
    page.click("#sb-cancel")
    sees(page, "h1", "cancelled")
    sees(page, ".field-cancel", "admin")
    assert page.problems == []


@pytest.fixture
def running(failed) -> Run:
    began = datetime.now(UTC) - timedelta(seconds=30)
    columns = {"status": Status.RUNNING, "cause": Cause.SCHEDULE, "scheduled_for": began, "started_at": began}
    return Run.objects.create(job=failed.job, output="so far\n", **columns)


def test_a_server_that_does_not_answer_is_told_of_until_it_does(page, live_server, running):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/{running.pk}/change/")
    assert not page.is_visible(".sb-lost")
    page.route("**/live/**", lambda route: route.abort())
    page.wait_for_selector(".sb-lost:visible")
    sees(page, ".sb-output", "so far")
    page.unroute("**/live/**")
    Run.objects.filter(pk=running.pk).update(output="so far\nand further\n")
    sees(page, ".sb-output", "and further")
    assert not page.is_visible(".sb-lost")


def test_who_was_logged_out_sees_no_page_to_log_in_in_the_place_of_output(page, live_server, running):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/{running.pk}/change/")
    page.context.clear_cookies()
    page.wait_for_selector(".sb-lost:visible")
    sees(page, ".sb-output", "so far")
    counts(page, "#login-form", 0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(49, "in 4"), (-42, "sec. ago"), (600, "in 10 min."), (-7200, "2 hr. ago"), (5 * 86400 + 60, "in 5 days")],
)
def test_a_moment_is_counted_down_and_up_again(page, live_server, running, seconds, text):
    page.goto(f"{live_server.url}/admin/scheduler_bridge/run/{running.pk}/change/")
    moment = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    page.evaluate(
        "moment => { const time = document.querySelector('h1').appendChild(document.createElement('time'));"
        " time.dateTime = moment; time.dataset.sbCountdown = ''; time.textContent = 'then'; }",
        moment,
    )
    sees(page, "time[data-sb-countdown]", text)
