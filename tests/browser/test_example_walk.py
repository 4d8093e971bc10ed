"""The example as a newcomer meets it: a live site and a live runner, seen in a browser."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import counts, log_in, sees, sees_no

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# On any free port: the usual one may be wanted by another run of these tests at the same moment.
DEMO = "import demo; give = demo.free_port; demo.free_port = lambda wanted: give(0); raise SystemExit(demo.main())"


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[str]:
    """Start the example and give its address."""
    environment = {**os.environ, "SHOP_VAR": str(tmp_path_factory.mktemp("shop"))}
    environment.pop("CI", None)
    command = [sys.executable, "-c", DEMO]
    with subprocess.Popen(command, cwd=EXAMPLES, env=environment, stdout=subprocess.PIPE, text=True) as demo:
        address = next(found[0] for line in demo.stdout if (found := re.search(r"http://[^ ]+/admin/", line)))
        yield address
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)
    assert demo.returncode == 0


@pytest.fixture
def visit(window, shop) -> Callable[[str], None]:
    deadline = time.monotonic() + 30
    while True:
        try:
            log_in(window, shop, "admin")
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            window.wait_for_timeout(500)
    return lambda path: window.goto(f"{shop}scheduler_bridge/{path}")


def until(window, word: str, where: str) -> None:
    """Look again and again until a word is there."""
    deadline = time.monotonic() + 90
    while word not in " ".join(window.locator(where).all_inner_texts()):
        assert time.monotonic() < deadline, window.inner_text("body")
        window.wait_for_timeout(300)
        window.reload()


def failed_runs(window) -> set[str]:
    """Give the addresses of the failed runs on the page of a job, which shows only so many of the last."""
    links = window.locator(".field-history tr:has-text('failed') a")
    return set(links.evaluate_all("links => links.map(link => link.href)"))


def test_real_jobs_run_fail_hang_and_are_skipped(visit, window, shoot):
    visit("run/")
    for word in ("succeeded", "failed", "timed out", "skipped"):
        until(window, word, "#result_list")
    shoot("runs")
    window.click("tr:has-text('failing_stock_check') th a")
    sees(window, ".sb-output", "the warehouse does not answer")
    visit("run/")
    until(window, "succeeded", "tr:has-text('import_orders')")
    window.click("tr:has-text('import_orders'):has-text('succeeded') th a")
    sees(window, ".field-followed_by", "shop.match_payments")
    shoot("run")
    visit("job/")
    sees(window, ".sb-state-alive", "alive")  # another state says the word, too
    shoot("jobs")
    assert window.problems == []


def test_a_job_is_run_by_hand_and_its_run_is_seen(visit, window, shoot):
    visit("job/")
    window.click("#result_list a:has-text('sales_report')")
    window.click("#sb-run-now")
    until(window, "by hand", ".field-history")
    until(window, "succeeded", ".field-history")
    shoot("job")
    window.click(".field-history tr:has-text('by hand') a")
    sees(window, ".field-requested_by", "admin")
    assert window.problems == []


def test_a_job_that_is_timed_anew_runs_at_its_new_time_without_a_restart(visit, window):
    visit("job/")
    window.click("#result_list a:has-text('failing_stock_check')")
    before = failed_runs(window)
    window.fill("#id_interval_text", "1 second")
    window.click("[name=_continue]")
    sees(window, ".field-layers", "every 1 second (changed here)")
    deadline = time.monotonic() + 35  # at its old time, three more would take 40 s; others keep the worker busy, too
    while len(failed_runs(window) - before) < 3:
        assert time.monotonic() < deadline, window.inner_text("body")
        window.wait_for_timeout(300)
        window.reload()
    window.fill("#id_interval_text", "")
    window.click("[name=_continue]")
    sees(window, ".field-layers", "every 20 seconds (code)")


def test_a_disabled_job_runs_no_more_and_says_who_disabled_it(visit, window):
    visit("job/")
    row = (
        "tr:has-text('failing_stock_check')"  # its light says it, or the line below where the light says that it fails
    )
    for action, lights in (("disable", 1), ("enable", 0)):
        window.check(f"{row} input.action-select")
        window.select_option("select[name=action]", action)
        window.click("button[name=index]")
        sees(window, ".messagelist", "1 job was changed.")
        counts(window, f"{row} .sb-light[aria-label='disabled'], {row} .sb-small:text-is('disabled')", lights)
    window.click("#result_list a:has-text('failing_stock_check')")
    sees(window, ".field-layers", "last changed here by admin")
    sees(window, ".sb-log", "enabled: yes → no")


def test_nothing_starts_on_hold(visit, window):
    visit("job/")
    window.click("text=Hold…")
    window.fill("#sb-reason", "stocktaking")
    window.click("button:text-is('Hold')")
    sees(window, ".sb-bar", "by admin: stocktaking")
    window.click("text=Resume…")
    window.click(".sb-actions button:last-child")
    sees_no(window, ".sb-bar", "On hold")
