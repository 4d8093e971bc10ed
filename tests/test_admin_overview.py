import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import time_machine
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scheduler_bridge import api, deployment, lease
from scheduler_bridge.admin.overview import FRONT_PAGE, PARTS, mark_front_page
from scheduler_bridge.models import Cause, Deployment, Job, Report, Run, Runner, Standby, Status

PAGE = "/admin/scheduler_bridge/"
FRONT = "/admin/"
RUNS = "/admin/scheduler_bridge/run/"
NOW = "/admin/scheduler_bridge/job/now/"
SECOND = timedelta(seconds=1)
EVIL = '<script>alert("x")</script>'


@pytest.fixture(autouse=True)
def moment(now) -> Iterator[datetime]:
    """Let all happen at one moment: what the code made due is not due then, however long ago the tables were made."""
    with time_machine.travel(now, tick=False):
        yield now


@pytest.fixture
def alive(db, moment) -> lease.Identity:
    """This process, as a runner whose loop turns."""
    me = lease.Identity.mine()
    lease.acquire(me, None, moment - timedelta(hours=3))
    lease.renew(me, moment, moment)
    Runner.objects.update(code=deployment.code_fingerprint())
    Deployment.objects.update(at=moment - timedelta(days=1))
    return me


def text(client: Client, address: str = PAGE) -> str:
    """Give the words of a page."""
    return words(client.get(address).content.decode())


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def runs(job: Job, begun_at: datetime, **values) -> Run:
    times = {"scheduled_for": begun_at, "started_at": begun_at}
    return Run.objects.create(**{"job": job, "status": Status.RUNNING, "cause": Cause.SCHEDULE, **times, **values})


def ran(job: Job, ended_at: datetime, seconds: float = 1, status: str = Status.SUCCEEDED, **values) -> Run:
    times = {"started_at": ended_at - seconds * SECOND, "finished_at": ended_at}
    return runs(job, ended_at, **{"status": status, **times, **values})


# The runner


def test_an_alive_runner_is_shown_with_its_process_and_those_who_stand_by(person, alive, moment):
    Runner.objects.update(host="web1", pid=alive.pid)
    Standby.objects.create(token="x", host="web2", pid=4711, since=moment, seen_at=moment)
    found = text(person("view_job"))
    assert f"Runner alive Host web1 Process {alive.pid} Since" in found
    assert "Last turn of the loop" in found
    assert "Standby web2 process 4711" in found
    assert "deployed" not in found


def test_an_absent_runner_is_shown_with_what_to_do(person, alive):
    lease.release(alive)
    assert "no runner is alive Nothing is started. Start the runner" in text(person("view_job"))


def test_where_a_standby_waits_nothing_is_to_be_done(person, alive, moment):
    lease.release(alive)
    Standby.objects.create(token="x", host="web2", pid=4711, since=moment, seen_at=moment)
    found = text(person("view_job"))
    assert "A standby takes over" in found
    assert "Start the runner" not in found


def test_a_loop_that_stalls_is_shown(person, alive, moment):
    lease.renew(alive, moment, moment - timedelta(minutes=2))
    assert "the loop stalls" in text(person("view_job"))


def test_a_page_with_other_code_than_was_deployed_says_so(person, alive, moment):
    Deployment.objects.create(at=moment - timedelta(days=1), code=deployment.code_fingerprint())
    Deployment.objects.create(at=moment, code="newer")
    Runner.objects.update(code="newer")
    assert "has other code than was deployed today" in text(person("view_job"))


def test_a_page_with_code_that_was_never_migrated_says_so(person, alive):
    Deployment.objects.all().delete()
    Runner.objects.update(code="older")
    assert "The code of this page was never migrated" in text(person("view_job"))


def test_a_runner_that_must_be_restarted_is_named(person, alive, moment):
    Deployment.objects.all().delete()
    Deployment.objects.create(at=moment - timedelta(hours=1), code=deployment.code_fingerprint())
    assert "The runner is older than the code deployed" in text(person("view_job"))


def test_a_hold_is_shown_with_reason_person_and_end(person, alive, moment):
    api.hold(EVIL, by="alice", until=moment + timedelta(days=5))
    client = person("view_job")
    html = client.get(PAGE).content.decode()
    assert EVIL not in html
    found = words(html)
    assert "On hold since" in found
    assert "by alice: &lt;script&gt;" in found
    assert "It ends by itself:" in found
    assert "See what would start" in found


def test_a_hold_without_reason_and_end(person, alive):
    api.hold()
    found = text(person("view_job", "hold_runner"))
    assert "by a program It ends when somebody resumes. Resume…" in found


def test_unsent_mails_lead_to_their_runs(person, alive, specimen, moment):
    ran(specimen, moment, report=Report.DUE, report_tries=2)
    html = person("view_job").get(PAGE).content.decode()
    assert "1 mail is not sent" in html
    assert f"{reverse('admin:scheduler_bridge_run_changelist')}?mail=due" in html


@pytest.mark.parametrize("page", [PAGE, "/admin/scheduler_bridge/job/"])
def test_only_one_who_may_hold_is_offered_it(person, admin_client, alive, page):
    form = f'action="{reverse("admin:scheduler_bridge_hold")}"'
    assert form not in person("view_job").get(page).content.decode()
    html = admin_client.get(page).content.decode()
    assert form in html
    assert f'name="next" value="{page}"' in html


# What runs, waits and fails


def test_what_runs_is_measured_against_its_usual_time(person, alive, specimen, moment):
    for _ in range(3):
        ran(specimen, moment, 40)
    run = runs(specimen, moment - 12 * SECOND, requested_by="pat", cause=Cause.MANUAL, output=f"one\n{EVIL}\n")
    client = person("view_job", "view_run")
    html = client.get(PAGE).content.decode()
    assert re.search(r"1\d s of usually 40 s", html)
    assert "by hand (pat)" in html
    assert reverse("admin:scheduler_bridge_run_change", args=[run.pk]) in html
    assert reverse("admin:scheduler_bridge_job_change", args=[specimen.pk]) in html
    assert "&lt;script&gt;" in html
    assert EVIL not in html


def test_a_run_that_takes_unusually_long_is_marked(person, alive, specimen, moment):
    ran(specimen, moment, 40)
    runs(specimen, moment - 100 * SECOND)
    html = person("view_job").get(PAGE).content.decode()
    assert "unusually long, 95 % of its runs end within 40 s" in html
    assert "sb-long" in html


def test_a_run_of_a_job_that_never_ran_has_no_bar(person, alive, specimen, moment):
    runs(specimen, moment - 5 * SECOND)
    html = person("view_job").get(NOW, {"part": "work"}).content.decode()
    assert "how long it usually takes is not known yet" in html
    assert "sb-meter" not in html


def test_what_a_dead_runner_left_is_not_called_running_on(person, alive, specimen, moment):
    ran(specimen, moment, 3600)
    runs(specimen, moment - 10 * SECOND)
    Run.objects.create(job=specimen, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=moment - SECOND)
    lease.release(alive)
    found = text(person("view_job"))
    assert "Its runner is gone: the next one will record it as abandoned." in found
    assert "of usually" not in found
    assert "behind" not in found


def test_what_waits_says_behind_what_and_when_it_starts(person, alive, specimen, moment):
    ran(specimen, moment, 3600)
    runs(specimen, moment - 10 * SECOND)
    other = Job.objects.get(name="tests.demo.by_hand")
    values = {"status": Status.QUEUED, "cause": Cause.MANUAL, "scheduled_for": moment - SECOND}
    queued = [Run.objects.create(job=other, requested_by=name, **values) for name in ("pat", "kim")]
    found = text(person("view_job", "view_run"))
    assert re.search(rf"tests\.demo\.by_hand by hand \(pat\) · run {queued[0].pk} due", found)
    assert "behind tests.demo.specimen" in found
    assert "starts about" in found
    assert "starts not before" in found  # behind one that never ran


@pytest.mark.parametrize(
    ("stop", "words"),
    [("release", "starts when a runner is alive"), ("hold", "starts when somebody resumes")],
)
def test_what_waits_says_what_it_waits_for_where_nothing_starts(person, alive, specimen, moment, stop, words):
    Run.objects.create(job=specimen, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=moment)
    if stop == "hold":
        api.hold("stocktaking")
    else:
        lease.release(alive)
    assert words in text(person("view_job"))


def test_a_job_that_should_have_started_is_named_above_what_waits(person, alive, specimen, moment):
    Job.objects.filter(pk=specimen.pk).update(next_run_at=moment - timedelta(minutes=5))
    client = person("view_job")
    assert "tests.demo.specimen: due since" in text(client)
    ran(specimen, moment, scheduled_for=moment - timedelta(hours=1))  # the worker was busy until now
    Job.objects.filter(pk=specimen.pk).update(last_run=Run.objects.get())
    assert "nothing holds it back" not in text(client)


def test_a_line_is_counted_where_it_is_not_shown(person, alive, specimen, moment):
    values = {"status": Status.QUEUED, "cause": Cause.MANUAL, "scheduled_for": moment - SECOND}
    Run.objects.bulk_create(Run(job=specimen, **values) for _ in range(40))
    found = text(person("view_job"))
    assert "20 more wait." in found
    assert "and 16 more" in found  # behind three that are named


def test_failing_jobs_are_shown_with_how_and_how_often(person, alive, specimen, moment):
    last = [ran(specimen, moment - n * SECOND, status=Status.FAILED, reason=EVIL) for n in (3, 2, 1)][-1]
    Job.objects.filter(pk=specimen.pk).update(failing_since=moment - 3 * SECOND)
    html = person("view_job", "view_run").get(NOW, {"part": "work"}).content.decode()
    assert "3 failures in a row" in html
    assert f'<a href="{reverse("admin:scheduler_bridge_run_change", args=[last.pk])}">last failed run</a>' in html
    assert "&lt;script&gt;" in html
    assert EVIL not in html


def test_that_nothing_runs_waits_or_fails_is_said(person, alive):
    found = text(person("view_job", "view_run"))
    for line in ("Nothing runs.", "Nothing waits.", "No job fails.", "No job has run yet."):
        assert line in found


# How busy the worker was, and the last runs


def test_the_busy_share_leads_to_its_runs(person, alive, specimen, moment):
    ran(specimen, moment, 30)
    html = person("view_job", "view_run").get(PAGE).content.decode()
    today = timezone.localtime(moment, timezone.get_default_timezone()).date()
    assert f"?from={today}&amp;to={today}" in html
    assert re.search(r"busy for \d+ s of", words(html))


def test_the_last_runs_lead_to_their_pages(person, alive, specimen, moment):
    for number in range(25):
        ran(specimen, moment, reason=f"reason {number}")
    html = person("view_job", "view_run").get(PAGE).content.decode()
    assert "reason 24" in html
    assert "reason 5" in html
    assert "reason 4<" not in html
    assert reverse("admin:scheduler_bridge_run_change", args=[Run.objects.latest("pk").pk]) in html


# First steps


def test_first_steps_are_shown_until_there_is_a_job_and_was_a_runner(person, db, moment):
    Runner.objects.update(token="", since=None)
    Job.objects.exclude(app="scheduler_bridge").update(removed_at=moment)
    client = person("view_job", "view_run")
    found = text(client)
    assert "class ScheduledJob" in found
    assert "Start the runner, which starts the jobs" in found
    Job.objects.update(removed_at=None)
    found = text(client)
    assert "Done: the project has scheduled jobs." in found
    Runner.objects.update(since=moment)
    assert "First steps" not in text(client)


# People


def test_the_models_are_listed_below(person, alive):
    html = person("view_job", "view_run").get(PAGE).content.decode()
    assert html.index("sb-latest-title") < html.index('href="/admin/scheduler_bridge/job/"')


def test_one_who_may_only_see_jobs_sees_neither_runs_nor_their_output(person, alive, specimen, moment):
    run = runs(specimen, moment, output="secret")
    ran(specimen, moment - SECOND, status=Status.FAILED, reason="confidential")
    Job.objects.filter(pk=specimen.pk).update(failing_since=moment - SECOND)
    client = person("view_job")
    html = client.get(PAGE).content.decode()
    assert "secret" not in html
    assert "confidential" not in html
    assert reverse("admin:scheduler_bridge_run_change", args=[run.pk]) not in html
    assert "Last runs" not in html
    assert client.get(NOW, {"part": "runs"}).status_code == 403


def test_one_who_may_only_see_runs_sees_those(person, alive, specimen, moment):
    ran(specimen, moment, reason="no orders")
    client = person("view_run")
    html = client.get(PAGE).content.decode()
    assert "no orders" in html
    assert "Runner" not in html
    assert reverse("admin:scheduler_bridge_job_change", args=[specimen.pk]) not in html
    assert client.get(NOW, {"part": "runner"}).status_code == 403
    assert client.get(NOW, {"part": "runs"}).status_code == 200


def test_one_without_permission_gets_nothing(person, alive):
    client = person("view_user")
    assert client.get(PAGE).status_code == 404
    assert "sb-mark" not in client.get(FRONT).content.decode()
    assert [client.get(NOW, {"part": part}).status_code for part in PARTS] == [403] * len(PARTS)


def test_one_who_is_not_logged_in_is_asked_to(db):
    assert Client().get(PAGE).status_code == 302
    assert Client().get(NOW, {"part": "work"}).status_code == 302


# The parts that are fetched anew


@pytest.mark.parametrize(
    ("part", "title"),
    [("runner", "Runner"), ("work", "Runs now"), ("busy", "How busy the worker was"), ("runs", "Last runs")],
)
def test_each_part_is_given_alone_as_it_stands_on_the_page(admin_client, alive, part, title):
    response = admin_client.get(NOW, {"part": part})
    html = response.content.decode()
    assert title in html
    assert "<body" not in html
    assert "no-store" in response["Cache-Control"]
    page = admin_client.get(PAGE).content.decode()
    assert f'data-sb-live="{NOW}?part={part}"' in page
    shown = [line for line in html.splitlines() if "<h2" in line or "<section" in line]
    assert [line for line in shown if line not in page] == []


@pytest.mark.parametrize("part", ["", "admin/login.html", "Work"])
def test_no_other_part_is_given(admin_client, part):
    assert admin_client.get(NOW, {"part": part}).status_code == 404


def test_the_pages_bear_a_strict_policy(admin_client, alive, specimen, moment):
    ran(specimen, moment, 40)
    runs(specimen, moment - SECOND)
    api.hold("x")
    for address in (PAGE, FRONT):
        content = admin_client.get(address).content.decode()
        inner = content[content.index("<main") : content.index("</main>")]
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=", inner)


@pytest.mark.parametrize("count", [0, 1000])
def test_the_page_takes_few_statements_at_any_size(
    person, alive, specimen, moment, count, django_assert_max_num_queries
):
    values = {"owed_since": moment - SECOND, "schedule_key": '{"interval": 3600.0}', "failing_since": moment}
    Job.objects.bulk_create(
        Job(name=f"x.{n}", app="x", command=str(n), next_run_at=moment - SECOND, **values) for n in range(count)
    )
    ran(specimen, moment, status=Status.FAILED)
    runs(specimen, moment)
    Job.objects.filter(pk=specimen.pk).update(failing_since=moment)
    client = person("view_job", "view_run")
    client.get(PAGE)
    with django_assert_max_num_queries(15):
        client.get(PAGE)
    with django_assert_max_num_queries(12):
        client.get(NOW, {"part": "work"})


# The mark on the front page


def test_the_front_page_is_marked_while_no_runner_is_alive(person, alive, moment):
    client = person("view_job")
    assert "sb-mark" not in client.get(FRONT).content.decode()
    lease.renew(alive, moment, moment - timedelta(minutes=2))
    assert "Scheduled jobs are not started: the loop stalls." in text(client, FRONT)
    lease.release(alive)
    html = client.get(FRONT).content.decode()
    assert "no runner is alive" in html
    assert f'<a href="{PAGE}">' in html


def test_only_one_who_may_see_jobs_sees_the_mark(person, db):
    assert "sb-mark" not in person("view_run").get(FRONT).content.decode()


def test_the_mark_costs_one_statement(person, alive, django_assert_num_queries):
    client = person("view_job")
    client.get(FRONT)
    # Session, person, two for permissions, the runner, the recent actions; two are of the test's own transaction.
    with django_assert_num_queries(8):
        client.get(FRONT)


def test_the_front_page_is_there_though_the_tables_cannot_be_read(admin_client, monkeypatch):
    def away():
        raise DatabaseError("no such table")

    monkeypatch.setattr(lease, "holder", away)
    response = admin_client.get(FRONT)
    assert response.status_code == 200
    assert "sb-mark" not in response.content.decode()


def test_a_front_page_of_the_project_stays():
    own, plain = AdminSite(name="own"), AdminSite(name="plain")
    own.index_template = "shop/index.html"
    mark_front_page(own)
    mark_front_page(plain)
    assert (own.index_template, plain.index_template) == ("shop/index.html", FRONT_PAGE)
    assert admin.site.index_template == FRONT_PAGE


# Queues and hosts


def away(job: Job, moment: datetime, seconds: float, status: str = Status.RUNNING, **values) -> Run:
    since = moment - seconds * SECOND
    times = {"scheduled_for": since, "handed_at": since, "queue": "reports"}
    if status == Status.RUNNING:
        times |= {"started_at": since, "heartbeat_at": moment - SECOND, "host": "far-1"}
    else:
        times |= {"hand_at": moment, "started_at": None}
    run = runs(job, since, status=status, **{**times, **values})
    Job.objects.filter(pk=job.pk).update(handed_run_id=run.pk)
    return run


def test_queues_and_hosts_are_shown_where_an_engine_is_used(person, alive, specimen, moment, tasks):
    away(specimen, moment, 40)
    away(Job.objects.get(name="tests.demo.by_hand"), moment, 75, Status.QUEUED)
    client = person("view_job", "view_run")
    shown = text(client)
    assert "Queues and hosts" in shown
    assert re.search(r"reports 1 1 \d\d:\d\d(:\d\d)? \d+ s ago \d+ s ago", shown)
    assert re.search(r"far-1 1 \d+ s ago reports", shown)
    assert "nobody serves it" not in shown
    html = client.get(PAGE).content.decode()
    assert f'href="{RUNS}?queue=reports&amp;status__exact=queued">1</a>' in html
    assert f'href="{RUNS}?host=far-1">far-1</a>' in html


def test_without_an_engine_the_panel_is_not_there(person, alive, specimen, moment):
    runs(specimen, moment)
    assert "Queues and hosts" not in text(person("view_job", "view_run"))


def test_what_goes_on_elsewhere_is_shown_without_an_engine_too(person, alive, specimen, moment):
    away(specimen, moment, 40)
    assert "Queues and hosts" in text(person("view_job", "view_run"))


def test_a_queue_that_nobody_serves_is_shown_with_what_to_do(person, alive, specimen, moment, tasks):
    away(specimen, moment, 130, Status.QUEUED)
    shown = text(person("view_job"))
    assert "Nobody serves queue reports: a run waits since" in shown
    assert "Start a worker of the engine that takes tasks of queue reports" in shown
    assert "nobody serves it" in shown


def test_what_runs_elsewhere_stands_apart_from_what_the_runner_runs(person, alive, specimen, moment, tasks):
    ran(specimen, moment - 60 * SECOND, 40)
    run = away(specimen, moment, 12)
    shown = text(person("view_job", "view_run"))
    assert "The runner itself runs nothing. Handed over tests.demo.specimen at far-1, queue reports" in shown
    assert re.search(rf"1\d s of usually 40 s since \d\d:\d\d(:\d\d)? · run {run.pk}", shown)
    assert "Nothing waits." in shown


def test_what_is_to_be_handed_over_stands_apart_from_what_waits(person, alive, specimen, moment, tasks):
    Job.objects.filter(pk=specimen.pk).update(override_queue="reports")
    run = runs(specimen, moment, status=Status.QUEUED, started_at=None, cause=Cause.MANUAL, queue="reports")
    client = person("view_job", "view_run")
    shown = text(client)
    assert f"To be handed over tests.demo.specimen queue reports · by hand · run {run.pk}" in shown
    assert "handed over when no other run of its job goes on" in shown
    api.hold("x")
    assert "starts when somebody resumes" in text(client)


def test_the_panel_is_given_alone_and_only_to_those_who_see_jobs(person, alive, tasks):
    answer = person("view_job").get(NOW, {"part": "places"})
    assert answer.content.decode().strip().startswith("<section")


def test_one_who_sees_no_jobs_sees_no_queues(person, alive, tasks):
    client = person("view_run")
    assert client.get(NOW, {"part": "places"}).status_code == 403
    assert "Queues and hosts" not in text(client)


def test_one_who_sees_no_runs_gets_no_links_to_them(person, alive, specimen, moment, tasks):
    away(specimen, moment, 40)
    assert RUNS not in person("view_job").get(NOW, {"part": "places"}).content.decode()


@pytest.mark.parametrize("count", [1, 800])
def test_the_page_takes_few_statements_for_many_that_were_handed_over(
    person, alive, specimen, moment, count, tasks, django_assert_max_num_queries
):
    Job.objects.bulk_create(Job(name=f"x.{n}", app="x", command=str(n), owed_since=moment) for n in range(count))
    values = {"status": Status.QUEUED, "cause": Cause.SCHEDULE, "queue": "reports", "hand_at": moment}
    ids = Job.objects.filter(app="x").values_list("pk", flat=True)
    Run.objects.bulk_create(Run(job_id=pk, scheduled_for=moment, handed_at=moment, **values) for pk in ids)
    away(specimen, moment, 40)
    client = person("view_job", "view_run")
    client.get(PAGE)
    with django_assert_max_num_queries(18):
        client.get(PAGE)
    with django_assert_max_num_queries(9):
        client.get(NOW, {"part": "places"})
