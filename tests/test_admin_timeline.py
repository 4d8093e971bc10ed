"""The page of the timeline: what is drawn, where it leads, and that it stays small, safe and readable."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler_bridge import api, lease, schedules
from scheduler_bridge.admin import strip_axis, strips
from scheduler_bridge.admin import timeline as page
from scheduler_bridge.models import Cause, Job, Run, Runner, Status
from scheduler_bridge.schedules import Interval
from scheduler_bridge.timeline import Block, Window, lay_out

PAGE = "/admin/scheduler_bridge/run/timeline/"
EVIL = "\"><script>alert('1')</script>"


@pytest.fixture(autouse=True)
def present(now):
    """Let the pages be asked for at the moment of the tests, and their users log in then."""
    with time_machine.travel(now, tick=False):
        yield now


@pytest.fixture
def add(job, now):
    def add(minutes, *, status=Status.SUCCEEDED, waited=0, ran=60, job=job, **values):
        due = now + timedelta(minutes=minutes)
        started = due + timedelta(seconds=waited)
        times = {"scheduled_for": due, "started_at": started, "finished_at": started + timedelta(seconds=ran)}
        return Run.objects.create(**{"job": job, "status": status, "cause": Cause.SCHEDULE, **times, **values})

    return add


@pytest.fixture
def planned(job, now):
    """A job that the code does not know any more, so that only its row says when it fires: each ten minutes."""
    key = schedules.fingerprint(Interval(every=timedelta(minutes=10)), UTC)
    Job.objects.filter(pk=job.pk).update(schedule_key=key, last_fire_at=now - timedelta(minutes=3), owed_since=now)
    return job


def get(client: Client, query: str = "") -> str:
    answer = client.get(PAGE + query)
    assert answer.status_code == 200, answer.headers
    return answer.content.decode()


def titles(text: str) -> list[str]:
    return [unescape(title) for title in re.findall(r"<title>([^<]*)</title><(?:rect|use)", text)]


def link(text: str, name: str) -> str:
    found = re.search(rf'id="sb-{name}"[^>]*href="([^"]*)"', text)
    assert found, name
    return unescape(found[1])


def test_a_run_is_drawn_waiting_before_running_and_leads_to_its_page(admin_client, add, job):
    run = add(-60, waited=90, ran=300, reason="")
    text = get(admin_client)
    bar = re.search(
        rf'<a href="/admin/scheduler_bridge/run/{run.pk}/change/" tabindex="-1">(.*?)</a>', text, re.DOTALL
    )[1]
    title = titles(bar)[0].splitlines()
    assert title[0] == "succeeded"
    assert title[1].startswith("due: 2026-03-10 12:00:00")
    assert title[2:] == ["started: 12:01:30", "waited: 1 min 30 s", "ran: 5 min 0 s"]
    waiting, running = bar.index('class="sb-wait"'), bar.index('class="sb-ran sb-succeeded"')
    assert waiting < running
    assert f'href="/admin/scheduler_bridge/job/{job.pk}/change/">demo.specimen' in text


def test_a_wait_names_what_was_waited_for(admin_client, add):
    other = Job.objects.create(name="demo.slow", app="demo", command="slow")
    add(-61, ran=100, job=other)
    add(-60, waited=40)
    assert "behind: demo.slow" in "\n".join(titles(get(admin_client)))


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMED_OUT, Status.ABANDONED])
def test_a_failure_has_a_shape_of_its_own_beside_its_colour(admin_client, add, status):
    add(-60, status=status, reason="exit code 3")
    text = get(admin_client)
    assert f'<use class="sb-{status}" href="#sb-mark-{status}"' in text
    assert f'id="sb-mark-{status}"' in text
    assert "exit code 3" in "\n".join(titles(text))
    assert len(set(strip_axis.MARKS.values())) == len(strip_axis.MARKS)


def test_the_number_of_failures_leads_to_them(admin_client, add):
    failures = [add(-60, status=Status.FAILED), add(-30, status=Status.TIMED_OUT)]
    add(-20)
    add(-60 * 30, status=Status.FAILED)
    found = re.search(r'class="sb-count sb-failed" href="([^"]*)">2 failed', get(admin_client))
    listed = admin_client.get(unescape(found[1])).content.decode()
    shown = re.findall(r'class="field-when[^>]*><a href="/admin/scheduler_bridge/run/(\d+)/', listed)
    assert sorted(map(int, shown)) == [run.pk for run in failures]


def test_what_waits_runs_and_was_skipped_is_drawn_too(admin_client, add, now):
    add(-5, status=Status.QUEUED, started_at=None, finished_at=None, cause=Cause.MANUAL)
    add(-4, status=Status.RUNNING, waited=60, finished_at=None)
    add(-90, status=Status.SKIPPED, started_at=None, finished_at=now, coalesced=89, reason="no orders")
    text = get(admin_client)
    assert "sb-tick sb-queued" in text
    assert "sb-ran sb-running" in text
    assert "sb-skip sb-skipped" in text
    said = "\n".join(titles(text))
    assert "skipped: 90 times" in said
    assert "waited: 5 min 0 s" in said
    assert "ran: 3 min 0 s" in said


def test_a_single_skip_that_was_decided_late_shows_its_waiting(admin_client, add, now):
    values = {"status": Status.SKIPPED, "started_at": None, "reason": "no orders"}
    add(-60, finished_at=now - timedelta(minutes=50), **values)
    text = get(admin_client)
    (title,) = [found for found in titles(text) if found.startswith("skipped")]
    assert title.splitlines() == ["skipped: no orders", "due: 2026-03-10 12:00:00", "waited: 10 min 0 s"]
    bar = re.search(r'<rect class="sb-skip sb-skipped" x="([\d.]+)%"', text)
    assert float(bar[1]) == pytest.approx(50 - 50 / 3.6, abs=0.1)


def test_fire_times_to_come_are_drawn_hollow_with_what_they_will_take(admin_client, add, planned):
    for minutes in (-20, -40, -60):
        add(minutes, ran=90, job=planned)
    coming = [title for title in titles(get(admin_client, "?span=1h")) if title.startswith("to come")]
    assert [title.splitlines()[1][-8:] for title in coming] == ["13:07:00", "13:17:00", "13:27:00"]
    assert all("takes: 1 min 30 s" in title for title in coming)


def test_a_window_of_the_past_has_no_forecast_and_no_present(admin_client, add, planned):
    add(-60 * 24, job=planned)
    text = get(admin_client, "?span=1h&at=2026-03-09T12:00:00Z")
    assert "to come" not in "\n".join(titles(text))
    assert 'href="#sb-now"' not in text
    assert "no runner is alive" not in text


def test_the_present_is_a_line_through_every_strip(admin_client, add):
    add(-60)
    text = get(admin_client)
    assert text.count('<use href="#sb-now"/>') == text.count('class="sb-strip"') + 1
    assert 'x1="50%" x2="50%"' in re.search(r'<line id="sb-now"[^>]*>', text)[0]


def test_a_change_of_the_clock_is_marked_and_named(admin_client, add):
    assert "clock forward 1 h 0 min" in get(admin_client, "?at=2026-03-29T01:00:00Z")
    assert "clock back 1 h 0 min" in get(admin_client, "?at=2026-10-25T01:00:00Z&span=24h")


@pytest.mark.parametrize("span", ["1h", "6h", "24h", "7d"])
def test_the_spans_lead_to_each_other_and_the_one_shown_is_told(admin_client, add, span):
    text = get(admin_client, f"?span={span}")
    assert re.findall(r'id="sb-span-(\w+)" href="[^"]*" aria-current="page"', text) == [span]
    for other in ("1h", "6h", "24h", "7d"):
        assert admin_client.get(link(text, f"span-{other}")).status_code == 200


def test_earlier_and_later_move_by_half_a_window_and_now_leads_back(admin_client, add):
    text = get(admin_client, "?span=6h&q=demo")
    assert link(text, "earlier") == f"{PAGE}?span=6h&at=2026-03-10T09%3A00%3A00Z&q=demo"
    assert link(text, "later") == f"{PAGE}?span=6h&at=2026-03-10T15%3A00%3A00Z&q=demo"
    earlier = admin_client.get(link(text, "earlier")).content.decode()
    assert "2026-03-10 07:00:00 – 13:00:00" in earlier
    assert link(earlier, "present") == f"{PAGE}?span=6h&q=demo"


def test_a_moment_that_is_typed_is_one_of_the_scheduler(admin_client, add):
    text = get(admin_client, "?span=1h&at=2026-03-09T18:30")
    assert "2026-03-09 18:00:00 – 19:00:00" in text
    assert 'value="2026-03-09T18:30"' in text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("span=9y", "“9y” is no span of time; expected one of 1h, 6h, 24h, 7d."),
        ("at=yesterday", "“yesterday” is no moment; the present is shown."),
        ("at=2026-13-01T00:00", "is no moment"),
        ("at=0001-01-01", "is no moment"),
        ("at=9999-12-31T23:59:59-14:00", "is no moment"),
        ("at=%00", "is no moment"),
        ("p=x", "“x” is no page; the first one is shown."),
        ("p=²", "is no page"),
        ("p=-1", "is no page"),
        ("p=" + "9" * 30, "is no page"),
    ],
)
def test_what_cannot_be_understood_is_said_and_the_rest_is_shown(admin_client, add, query, said):
    add(-60)
    text = get(admin_client, f"?{query}")
    assert said in unescape(text)
    assert 'class="sb-strip"' in text


@pytest.mark.parametrize("query", ["at=1970-01-08T00:00:00Z", "at=8999-12-31", "p=999999999", "q=%00", "at=", "span="])
def test_odd_values_are_no_error(admin_client, add, query):
    for span in ("1h", "7d"):
        get(admin_client, f"?{query}&span={span}" if "span" not in query else f"?{query}")


def test_jobs_without_anything_are_left_out_and_counted(admin_client, add):
    for number in range(3):
        Job.objects.create(name=f"demo.idle{number}", app="demo", command=f"idle{number}", removed_at=None)
    others = Job.objects.count() - 1
    add(-60)
    text = get(admin_client, "?at=2026-03-09T12:00&span=1h")
    assert f"{others + 1} jobs have nothing in this time." in text
    assert "Nothing happened and nothing is to come in this time." in text


def test_a_job_that_is_gone_is_shown_for_what_it_did_and_not_missed(admin_client, add, job, now):
    before = re.search(r"(\d+) jobs? ha(?:s|ve) nothing", get(admin_client, "?at=2026-03-09T12:00"))[1]
    add(-60)
    Job.objects.filter(pk=job.pk).update(removed_at=now)
    assert "demo.specimen: 1 run" in get(admin_client)
    after = re.search(r"(\d+) jobs? ha(?:s|ve) nothing", get(admin_client, "?at=2026-03-09T12:00"))[1]
    assert int(after) == int(before) - 1


def test_strips_are_found_by_a_part_of_the_name(admin_client, add):
    other = Job.objects.create(name="till.count", app="till", command="count")
    add(-60)
    add(-50, job=other)
    text = get(admin_client, "?q=TILL")
    assert re.findall(r'role="group" aria-label="(\S+):', text)[1:] == ["till.count"]
    assert "No job with this in its name" in get(admin_client, "?q=nowhere")


def test_more_strips_than_a_page_takes_are_on_the_next_one(admin_client, add, job, now):
    jobs = [Job(name=f"till.job{number:02}", app="till", command=f"job{number:02}") for number in range(70)]
    for number, other in enumerate(Job.objects.bulk_create(jobs)):
        add(-60, job=Job.objects.get(name=other.name), ran=100 - number)
    text = get(admin_client, "?at=2026-03-10T11:00:00Z&span=1h")
    assert text.count('class="sb-strip"') == 50
    assert "70 jobs, those that fail or take most time first" in text
    rest = get(admin_client, "?at=2026-03-10T11:00:00Z&span=1h&p=2")
    assert rest.count('class="sb-strip"') == 20
    assert "till.job69" in rest


# Safety


def test_names_and_reasons_are_shown_as_text(admin_client, add):
    evil = Job.objects.create(name=f"till.{EVIL}", app="till", command="count")
    add(-60, job=evil, status=Status.FAILED, reason=EVIL)
    text = get(admin_client, f"?q={EVIL}&span={EVIL}&at={EVIL}&p={EVIL}")
    text += get(admin_client)
    assert "<script>alert" not in text
    assert "alert(&#x27;1" in text


class Policy(HTMLParser):
    """Collects what a strict Content-Security-Policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        self.found += [f"{tag} {name}" for name, _value in attrs if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and not dict(attrs).get("src") and dict(attrs).get("type") is None):
            self.found.append(tag)


def test_the_page_keeps_a_strict_content_security_policy(admin_client, add, planned):
    add(-60, status=Status.FAILED)
    policy = Policy()
    policy.feed(re.search(r'<div id="content-main".*', get(admin_client), re.DOTALL)[0])
    assert policy.found == []


def test_only_who_may_view_runs_sees_it_and_jobs_are_links_only_for_who_may_view_them(add, db):
    add(-60)
    user = get_user_model().objects.create_user("pat@example.com", password="x", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(PAGE).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    text = get(client)
    assert "demo.specimen" in text
    assert "/admin/scheduler_bridge/job/" not in re.search(r'class="sb-board".*', text, re.DOTALL)[0]
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    assert "/admin/scheduler_bridge/job/" in get(client)
    assert Client().get(PAGE).status_code == 302


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_it_is_only_asked_for(admin_client, add, method):
    assert getattr(admin_client, method)(PAGE).status_code == 405


def test_it_changes_nothing(admin_client, add, planned):
    add(-60)
    with CaptureQueriesContext(connection) as queries:
        get(admin_client, "?span=7d")
    assert not [query["sql"] for query in queries if re.match(r"\s*(INSERT|UPDATE|DELETE)", query["sql"], re.I)]


# Those who cannot see it


def test_each_strip_says_what_is_on_it(admin_client, add, planned):
    add(-60, waited=90, job=planned)
    add(-50, status=Status.FAILED, job=planned)
    text = get(admin_client, "?span=1h&at=2026-03-10T11:10:00Z")
    labels = re.findall(r'role="group" aria-label="([^"]*)"', text)
    assert labels[0].startswith("worker: busy 3 % of the time")
    assert labels[1] == "demo.specimen: 2 runs, 1 failed, waited up to 1 min 30 s"


def test_the_table_says_the_same_and_has_the_same_links(admin_client, add, planned):
    run = add(-60, waited=90, ran=300, job=planned)
    text = get(admin_client)
    table = re.search(r"<details.*</details>", text, re.DOTALL)[0]
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", table) if f"/run/{run.pk}/" in row)
    cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
    assert cells == ["demo.specimen", "2026-03-10 12:00:00", "12:01:30", "1 min 30 s", "5 min 0 s", "succeeded"]
    assert table.count("to come") == text.count('<rect class="sb-ran sb-plan" x=') - 1  # one is in the legend


def test_the_drawings_are_well_formed(admin_client, add, planned):
    add(-60, status=Status.FAILED, reason=EVIL, waited=50)
    text = get(admin_client)
    drawings = re.findall(r"<svg class=\"sb-(?:strip|axis).*?</svg>(?=</div>)", text, re.DOTALL)
    assert len(drawings) >= 3
    for drawing in drawings:
        ElementTree.fromstring(drawing)


# Size


def crowd(now, every, jobs=60, *, span=timedelta(days=7)):
    """A window in which so many jobs ran as often, waited, failed and were skipped, and will go on."""
    window = Window.around(now, span, now)
    column, number = window.column, 60
    names = {pk: f"shop.a_job_with_a_name_of_some_length_{pk}" for pk in range(jobs)}
    done, coming = [], []
    for pk in names:
        due = window.start + pk * timedelta(seconds=1)
        while due < window.end:
            number += 1
            status = (Status.SUCCEEDED, Status.FAILED, Status.SKIPPED, Status.SUCCEEDED)[number % 4]
            values = {"job_id": pk, "count": 600, "run_id": 1_000_000 + number, "due": due, "last_due": due + column}
            times = {"started": due + column * 0.3, "ended": due + column * (number % 3), "ran": column * 0.2}
            block = Block(**values, **times, waited=column * 0.3, status=status if due < now else None)
            (done if due < now else coming).append(block)
            due += every(window)
    return window, names, done, coming


@pytest.mark.parametrize("every", [1, 2, 3, 5, 20, 100])
def test_a_picture_of_many_busy_jobs_stays_small(now, db, every):
    window, names, done, coming = crowd(now, lambda window: window.column * every)
    laid = lay_out(window, names, done, coming)
    size = sum(len(strips.strip(item, window)) for item in laid.strips) + len(strips.worker(laid.worker, window, "24h"))
    assert len(laid.strips) == 50
    assert size < 300_000


def test_a_job_of_each_second_is_drawn_over_seven_days(admin_client, job, now, db):
    seconds = range(-4000, 0)
    Run.objects.bulk_create(
        Run(
            job=job,
            status=Status.FAILED if second % 1000 == 0 else Status.SUCCEEDED,
            cause=Cause.SCHEDULE,
            scheduled_for=now + timedelta(seconds=second * 75),
            started_at=now + timedelta(seconds=second * 75),
            finished_at=now + timedelta(seconds=second * 75 + 40),
        )
        for second in seconds
    )
    text = get(admin_client, "?span=7d")
    assert "demo.specimen: 4000 runs, 4 failed" in text
    assert 'class="sb-profile sb-fail"' in text
    assert len(text) < 100_000


def test_a_page_takes_as_many_statements_for_many_jobs_as_for_few(admin_client, add, planned):
    add(-60)
    with CaptureQueriesContext(connection) as few:
        get(admin_client)
    for number in range(50):
        add(-50, job=Job.objects.create(name=f"demo.job{number}", app="demo", command=f"job{number}"))
    with CaptureQueriesContext(connection) as many:
        get(admin_client)
    assert len(many) == len(few) <= 16


# Notes


def test_what_keeps_the_forecast_from_coming_true_is_said(admin_client, me, add, present):
    Runner.objects.update(loop_at=present)
    assert "on hold" not in get(admin_client)
    assert "no runner is alive" not in get(admin_client)
    api.hold("stocktaking", by="anna")
    assert "The runner is on hold; the forecast assumes that it goes on now." in get(admin_client)
    lease.release(me)
    assert "no runner is alive" in get(admin_client)


def test_a_forecast_that_is_cut_says_where_it_ends(admin_client, planned, monkeypatch):
    monkeypatch.setattr(page, "EVENTS", 2)
    assert "So much is to come that the forecast ends at 2026-03-10 13:" in get(admin_client, "?span=24h")


def test_a_history_that_is_cut_says_from_when_on_it_is_shown(admin_client, add, monkeypatch):
    monkeypatch.setattr("scheduler_bridge.timeline.reading.LIMIT", 2)
    for minutes in (-90, -60, -30):
        add(minutes)
    text = get(admin_client)
    assert "those due before 2026-03-10 12:00:00 are left out" in text
    assert datetime(2026, 3, 10, tzinfo=UTC).date() == datetime.now(UTC).date()
