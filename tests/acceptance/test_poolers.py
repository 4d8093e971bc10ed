"""Sessions that the runner shares with others: those of a pooler in between, and of the project's own pool."""

import os
import signal
import time

import pytest

from tests.settings import DRIVER, ENGINE

from .bouncer import bouncing, program

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(ENGINE != "postgres", reason="only PostgreSQL is used by way of poolers here"),
]
NAME = "tests.acceptance.site."
# What a web process sees of the sessions that it gets one after the other.
SEEN = """
import time
from django.db import connection
seen = set()
for _ in range(30):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('client_connection_check_interval'),"
            " (SELECT count(*) FROM pg_listening_channels())")
        seen.add(cursor.fetchone())
    time.sleep(0.02)
print(json.dumps(sorted(seen)))
"""
AS_ALWAYS = [["0", "0", 0]]
# A web process that waits for a row for longer than the runner would.
WAITS = """
import threading, time
from django.db import connection, transaction
from django.contrib.auth.models import User
User.objects.get_or_create(username="row")
held = threading.Event()
def hold():
    with transaction.atomic():
        User.objects.select_for_update().get(username="row")
        held.set()
        time.sleep(2)
    connection.close()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
print(json.dumps(User.objects.filter(username="row").update(first_name="x")))
thread.join()
"""


@pytest.fixture
def behind(site):
    """Put the site behind a pooler with so many sessions."""
    if program() is None:
        pytest.skip("pgbouncer is not installed here")
    open_ones = []

    def put(size: int) -> None:
        open_ones.append(bouncing(size))
        site.env["SITE_PORT"] = str(open_ones[-1].__enter__())

    yield put
    for runner in site.runners:
        if runner.poll() is None:
            runner.kill()
            runner.wait()
    site.hang_up()
    for one in open_ones:
        one.__exit__(None, None, None)


def pauses(site, count: int) -> list[float]:
    """Ask for runs, and give the seconds after which each began."""
    for number in range(count):
        site.query(f"api.run_now('{NAME}second').pk")
        site.wait(lambda asked=number + 1: site.runs("second").count(["succeeded"]) == asked, 30)
    rows = "Run.objects.filter(job__command='second', cause='manual')"
    return site.query(f"[(run.started_at - run.scheduled_for).total_seconds() for run in {rows}]")


@pytest.mark.parametrize("size", [1, 3])
def test_behind_a_pooler_the_web_site_sees_its_sessions_as_they_always_are(site, behind, size):
    behind(size)
    site.jobs = ("tick", "skipping")
    assert site.script(SEEN) == AS_ALWAYS
    runner = site.start()
    site.wait(lambda: len(site.trace()) >= 3)
    site.query("api.announce_change()")
    assert site.script(SEEN) == AS_ALWAYS
    if size > 1:  # one is held by who waits, and one by who is waited for
        assert site.script(WAITS) == 1
    site.wait(lambda: site.runs("skipping"))
    assert site.stop(runner) == 0
    assert site.script(SEEN) == AS_ALWAYS
    assert "ERROR" not in site.log()


def test_behind_a_pooler_a_change_acts_within_a_second(site, behind):
    behind(3)
    runner = site.start()
    site.wait(lambda: site.query("Runner.objects.get().token"))
    waited = sorted(pauses(site, 5))
    assert waited[2] < 1.2, waited
    site.stop(runner)


def test_behind_a_pooler_what_a_run_prints_is_read_and_another_runner_takes_over(site, behind):
    behind(3)
    runner = site.start()
    number = site.query(f"api.run_now('{NAME}talking').pk")
    said = f"list(Run.objects.values_list('status', 'output').get(pk={number}))"
    site.wait(lambda: site.query(said) == ["running", "said at once\n"])
    (site.folder / "heard").touch()
    site.wait(lambda: site.query(said) == ["running", "said at once\nsaid in a transaction\n"])
    other = site.start()
    site.wait(lambda: "standby" in site.log(1))
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    killed = time.monotonic()
    site.wait(lambda: site.query(said)[0] == "abandoned")
    assert time.monotonic() - killed < 20
    assert site.query("api.run_now('" + NAME + "second').pk")
    site.wait(lambda: site.runs("second") == [["succeeded"]])
    assert site.script(SEEN) == AS_ALWAYS
    site.stop(other)


@pytest.mark.skipif(DRIVER != "psycopg", reason="Django has no pool with psycopg2")
def test_the_pool_of_a_project_gives_its_jobs_clean_sessions_at_once(site):
    pytest.importorskip("psycopg_pool")
    site.env["SITE_POOL"] = '{"min_size": 1, "max_size": 4, "timeout": 10}'
    runner = site.start()
    clean = '0 0 "$user", public 0'
    for job in ("probing", "spoiling", "probing", "spoiling", "probing"):
        number = site.query(f"api.run_now('{NAME}{job}').pk")
        site.wait(lambda run=number: site.query(f"Run.objects.get(pk={run}).finished_at") is not None)
    lines = [clean, *[f"{clean} at once"] * 4]
    seen = site.runs("probing", "status", "output", "warning")
    assert [[status, output.splitlines(), said] for status, output, said in seen] == [["succeeded", lines, ""]] * 3
    assert [output for (output,) in site.runs("spoiling", "output")] == ["77777ms 0 pg_catalog, public 1\n"] * 2
    assert all("the session was changed" in warning for (warning,) in site.runs("spoiling", "warning"))
    assert site.stop(runner) == 0
