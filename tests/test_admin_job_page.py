import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.urls import reverse

from scheduler_bridge import forecast
from scheduler_bridge.admin import preview
from scheduler_bridge.forecast import Forecast, Start
from scheduler_bridge.models import Cause, Deployment, Job, Run, Runner, Status

LIST = "/admin/scheduler_bridge/job/"


@pytest.fixture(autouse=True)
def present(now) -> Iterator[None]:
    """Let all happen at one moment: what the code made due is not due then, however long ago the tables were made."""
    with time_machine.travel(now, tick=False):
        yield


def page(job: Job) -> str:
    return f"{LIST}{job.pk}/change/"


def shown(client, job: Job, query: str = "") -> str:
    response = client.get(page(job) + query)
    assert response.status_code == 200
    return response.content.decode()


def words(text: str) -> str:
    """Give what a person reads."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def section(text: str, title: str) -> str:
    """Give the part of a page below a title."""
    return re.search(rf">{re.escape(title)}</h2>(.*?)(?:</section>)", text, re.DOTALL)[1]


def looked_at(client, job: Job, **values: str) -> str:
    response = client.post(page(job), {**values, "_preview": "Preview"})
    assert response.status_code == 200
    return response.content.decode()


def add_run(job: Job, status: Status = Status.SUCCEEDED, seconds: float = 2.0, hours_ago: float = 1.0, **values) -> Run:
    due = datetime.now(UTC) - timedelta(hours=hours_ago)
    spans = {"started_at": due, "finished_at": due + timedelta(seconds=seconds)}
    given = {"cause": Cause.SCHEDULE, "scheduled_for": due, **spans}
    return Run.objects.create(**{"job": job, "status": status, **given, **values})


# What holds


def test_the_page_shows_what_each_layer_says_and_who_changed_it(admin_client, specimen):
    values = {"override_reason": "busy", "changed_by": "pat", "changed_at": datetime(2026, 3, 10, 12, tzinfo=UTC)}
    Job.objects.filter(pk=specimen.pk).update(override_times=["09:30:00"], **values)
    found = words(section(shown(admin_client, specimen), "What holds, and who says it"))
    assert "schedule every 30 minutes - daily at 09:30 busy daily at 09:30 (changed here)" in found
    assert found.endswith("last changed here by pat at 2026-03-10 13:00:00")


def test_the_page_shows_the_other_values_and_which_layer_says_them(admin_client, specimen, settings):
    override = {"enabled": True, "timeout": timedelta(hours=1), "args": ["--days", "7"]}
    settings.SCHEDULER_BRIDGE = {"OVERRIDES": {specimen.name: override}}
    Job.objects.filter(pk=specimen.pk).update(notify_on_success=True)
    found = words(section(shown(admin_client, specimen), "What holds, and who says it"))
    assert "enabled - yes - yes (settings)" in found
    assert "timeout - 1 hour - 1 hour (settings)" in found
    assert "arguments none --days 7 - --days 7 (settings)" in found
    assert "mail successful runs too no - yes yes (changed here)" in found


def test_a_switch_that_a_person_turned_shows_why_and_until_when(admin_client, specimen):
    until = datetime(2099, 1, 5, 8, 0, tzinfo=UTC)
    Job.objects.filter(pk=specimen.pk).update(enabled=False, disabled_reason="<b>x</b>", disabled_until=until)
    text = section(shown(admin_client, specimen), "What holds, and who says it")
    assert "enabled - - no <b>x</b> until 2099-01-05 09:00:00 no (changed here)" in words(text)
    assert "<b>x</b>" not in text


def test_the_next_fire_times_are_told_with_their_day(admin_client, specimen):
    Job.objects.filter(pk=specimen.pk).update(override_times=["09:30:00"])
    text = section(shown(admin_client, specimen), "Next fire times")
    assert len(re.findall(r"<time datetime=\"[-\d]+T[:\d]+Z\">\w+ [-\d]+ 09:30</time>", text)) == 10
    assert "In Europe/Stockholm." in words(text)


@pytest.mark.parametrize(
    ("now", "note"),
    [
        (datetime(2026, 3, 28, 12, tzinfo=UTC), "Sun 2026-03-29 09:30 tomorrow clocks go forward 1 hour"),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), "Sun 2026-10-25 09:30 tomorrow clocks go back 1 hour"),
    ],
)
def test_the_day_of_a_clock_change_is_marked(admin_client, specimen, now, note):
    Job.objects.filter(pk=specimen.pk).update(override_times=["09:30:00"])
    with time_machine.travel(now, tick=False):
        admin_client.force_login(get_user_model().objects.get(is_superuser=True))
        text = shown(admin_client, specimen)
    assert note in words(section(text, "Next fire times"))
    assert text.count('<span class="sb-note">clocks go') == 1


def test_a_job_that_never_fires_says_so(admin_client):
    text = shown(admin_client, Job.objects.get(name="tests.demo.by_hand"))
    assert "none: it does not run by itself" in section(text, "Next fire times")


def test_a_broken_job_shows_its_error_before_the_form(admin_client, specimen):
    Job.objects.filter(pk=specimen.pk).update(broken="ModuleNotFoundError: No module named 'till'")
    text = shown(admin_client, specimen)
    assert "No module named &#x27;till&#x27;" in text
    assert text.index("No module named") < text.index("id_enabled")


def test_what_a_command_says_of_itself_is_escaped(admin_client, specimen):
    text = shown(admin_client, specimen)
    assert "<b>orders</b>" not in text
    assert "&lt;b&gt;orders" in text


# The past


def test_every_number_leads_to_the_runs_behind_it(admin_client, specimen):
    for number in range(3):
        add_run(specimen, hours_ago=number + 2)
    add_run(specimen, Status.FAILED)
    since = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
    Job.objects.filter(pk=specimen.pk).update(failing_since=since)
    text = shown(admin_client, specimen)
    runs = f'"/admin/scheduler_bridge/run/?job={specimen.pk}'
    assert f'<a href={runs}">2.0 s</a>' in text
    assert f'<a href={runs}&amp;status__exact=succeeded">75 %</a>' in text
    assert f'<a href={runs}&amp;status__exact=failed">1 failed</a>' in text
    assert re.search(rf"<a href={re.escape(runs)}&amp;from=2026-03-11\">", text)


def test_links_of_the_page_lead_to_runs_that_are_found(admin_client, specimen):
    add_run(specimen)
    failed = add_run(specimen, Status.FAILED)
    Job.objects.filter(pk=specimen.pk).update(failing_since=failed.scheduled_for)
    addresses = set(re.findall(r'href="([^"]*/run/\?[^"]+)"', shown(admin_client, specimen)))
    assert len(addresses) == 4
    for address in addresses:
        response = admin_client.get(html.unescape(address))
        assert response.status_code == 200
        assert response.context["cl"].result_count >= 1


def test_durations_are_drawn_over_time_with_failures_and_deployments(admin_client, specimen):
    for number in range(5):
        add_run(specimen, seconds=number + 1, hours_ago=10 - number)
    failed = add_run(specimen, Status.FAILED, seconds=4)
    add_run(specimen, Status.SKIPPED, started_at=None)
    Deployment.objects.create(at=datetime.now(UTC) - timedelta(hours=8), code="5f0c2b7d9a1e77")
    Deployment.objects.create(at=datetime.now(UTC) - timedelta(days=8), code="too-old")
    text = section(shown(admin_client, specimen), "Durations of the last runs")
    assert len(re.findall(r'class="sb-p-succeeded" x=', text)) == 5
    assert re.search(
        rf'href="[^"]*/run/{failed.pk}/change/"[^>]*><use href="#sb-shape-failed" class="sb-p-failed"', text
    )
    assert re.search(r'role="group" aria-label="Durations from .*, 6 runs: 5 succeeded, 1 failed; 1 deployment"', text)
    assert text.count("<title>Deployment at ") == 1
    assert "code 5f0c2b7d9a1e<" in text
    assert "style=" not in text


def test_a_job_without_runs_has_no_drawing(admin_client, specimen):
    text = section(shown(admin_client, specimen), "Durations of the last runs")
    assert "No run has been measured yet." in text
    assert "<svg" not in text


def test_the_last_runs_are_listed(admin_client, specimen):
    run = add_run(specimen, Status.FAILED, reason="ValueError: <short>")
    text = section(shown(admin_client, specimen), "Last runs")
    assert reverse("admin:scheduler_bridge_run_change", args=[run.pk]) in text
    assert "ValueError: &lt;short&gt;" in text


def test_the_log_says_who_changed_what_and_when(admin_client, admin_user, specimen):
    admin_client.post(page(specimen), {"enabled": "on", "interval_text": "5 minutes", "override_reason": "a <b> c"})
    text = section(shown(admin_client, specimen), "Who changed what")
    entry = LogEntry.objects.get()
    lines = re.findall(r'<span class="sb-line">(.*?)</span>', text)
    assert lines == ["schedule: every 30 minutes (code) → every 5 minutes", "why changed: - → a &lt;b&gt; c"]
    assert re.search(rf"<td>[-\d]{{10}} [:\d]{{8}}</td><td>{admin_user.get_username()}</td>", text)
    assert "; " in entry.change_message


def test_the_log_shows_the_last_fifteen_of_this_job_alone(admin_client, admin_user, specimen):
    other = Job.objects.get(name="tests.demo.by_hand")
    for number in range(20):
        for job in (specimen, other):
            LogEntry.objects.log_actions(admin_user.pk, [job], 2, f"{job.command} {number}", single_object=True)
    lines = re.findall(r'<span class="sb-line">(.*?)</span>', shown(admin_client, specimen))
    assert lines == [f"specimen {number}" for number in range(19, 4, -1)]


def test_a_reason_that_looks_like_two_changes_is_told_as_one(admin_client, specimen):
    admin_client.post(page(specimen), {"disabled_reason": "first; second: a → b"})
    lines = re.findall(r'<span class="sb-line">(.*?)</span>', shown(admin_client, specimen))
    assert lines == ["enabled: yes → no", "why disabled: - → first, second: a → b"]


# Before it is saved


def test_a_preview_shows_what_would_happen_and_saves_nothing(admin_client, specimen):
    before = Job.objects.filter(pk=specimen.pk).values().get()
    text = looked_at(admin_client, specimen, times_text="09:30, 18:30", enabled="on", override_reason="busy")
    found = section(text, "Preview: nothing is saved yet")
    assert "schedule: every 30 minutes (code) → daily at 09:30, 18:30" in words(found)
    assert len(re.findall(r"\d (?:09|18):30</time>", found)) == 10
    assert "The one worker is busy" in words(found)
    assert 'value="09:30, 18:30"' in text
    assert 'value="busy"' in text
    assert Job.objects.filter(pk=specimen.pk).values().get() == before
    assert not LogEntry.objects.exists()


def test_beside_a_preview_the_page_shows_what_holds_now(admin_client, specimen):
    text = looked_at(admin_client, specimen, times_text="09:30")
    assert "every 30 minutes (code)" in words(section(text, "What holds, and who says it"))
    assert "09:30</time>" not in section(text, "Next fire times")
    assert "enabled: yes → no" in words(section(text, "Preview: nothing is saved yet"))
    assert "none: it does not run by itself" in words(section(text, "Preview: nothing is saved yet"))


def test_a_preview_of_no_change_says_so(admin_client, specimen):
    text = looked_at(admin_client, specimen, enabled="on")
    assert "Nothing would change." in section(text, "Preview: nothing is saved yet")


def test_what_cannot_be_saved_is_not_looked_at(admin_client, specimen):
    text = looked_at(admin_client, specimen, enabled="on", interval_text="soon")
    assert "expected an interval such as" in text
    assert "Preview: nothing is saved yet" not in text


def test_a_preview_follows_an_end_to_what_comes_after_it(admin_client, specimen):
    values = {"interval_text": "10 minutes", "override_until": "15 minutes"}
    text = section(looked_at(admin_client, specimen, enabled="on", **values), "Preview: nothing is saved yet")
    moments = [datetime.fromisoformat(found) for found in re.findall(r'<time datetime="([^"]+)"', text)]
    assert {later - earlier for earlier, later in pairwise(moments[2:])} == {timedelta(minutes=30)}


def start(now: datetime, job_id: int, name: str, late: float, behind: tuple[str, ...]) -> Start:
    moment = now + timedelta(seconds=late)
    values = {"due": now, "fire_time": now, "starts": moment, "ends": moment, "coalesced": 0}
    return Start(job_id=job_id, name=name, cause=Cause.SCHEDULE, behind=behind, **values)


def a_forecast(now: datetime, starts: list[Start], busy: float) -> Forecast:
    return Forecast(starts=tuple(starts), waiting=(), until=now + timedelta(hours=24), busy=busy, is_whole=True)


@pytest.fixture
def before_and_after(now):
    """Two forecasts in which jobs wait otherwise, and some not at all."""
    before = [start(now, 1, "shop.<one>", 5, ("shop.long",)), start(now, 2, "shop.two", 30, ("shop.long",))]
    after = [start(now, 1, "shop.<one>", 65, ("a", "b", "c", "d")), start(now, 2, "shop.two", 0, ())]
    many = [start(now, 10 + number, f"shop.many{number}", 2 + number, ("x",)) for number in range(20)]
    return a_forecast(now, before, 0.12), a_forecast(now, after + many, 0.995)


def test_the_ten_that_wait_longest_are_named_before_and_after(admin_client, specimen, before_and_after, monkeypatch):
    monkeypatch.setattr(forecast, "before_and_after", lambda now, until, typed: before_and_after)
    text = section(looked_at(admin_client, specimen, interval_text="5 minutes"), "Preview: nothing is saved yet")
    assert "The one worker is busy 12 % of the time now, and 99 % after the change." in words(text)
    rows = [words(row) for row in re.findall(r"<tr.*?</tr>", text, re.DOTALL)][1:]
    assert rows[0] == "shop. <one> 5.0 s 1 min 5 s a, b, c and 1 more"
    assert "<one>" not in text
    assert len(rows) == 10
    assert [row.split()[1] for row in rows[1:4]] == ["many19", "many18", "many17"]
    assert '<td class="sb-later">1 min 5 s</td>' in text


def test_the_outlook_is_asked_of_what_is_typed_with_its_end(admin_client, specimen, before_and_after, monkeypatch):
    asked = {}
    monkeypatch.setattr(forecast, "before_and_after", lambda now, until, typed: asked.update(typed) or before_and_after)
    looked_at(admin_client, specimen, enabled="on", interval_text="5 minutes", override_until="3 hours")
    (row,) = asked.values()
    assert (row.pk, row.override_interval) == (specimen.pk, timedelta(minutes=5))
    assert row.override_until > datetime.now(UTC) + timedelta(hours=2)


def test_jobs_that_start_earlier_or_in_time_are_told_so(before_and_after, now):
    before, after = before_and_after
    found = preview._outlook(after, before)
    assert {shift.name: shift.by for shift in found.late}["shop.two"] == timedelta(seconds=30)
    assert (found.busy_before, found.busy_after) == (0.995, 0.12)
    assert preview._outlook(a_forecast(now, [], 0.0), a_forecast(now, [], 0.0)).late == ()


def test_the_outlook_as_things_are_is_shown_on_request(person, specimen):
    client = person("view_job")
    assert "The next 24 hours" not in shown(client, specimen)
    text = section(shown(client, specimen, "?forecast=1"), "The next 24 hours")
    assert "The one worker is busy" in words(text)
    assert "late after" not in text


# Who may do what


def test_one_who_may_only_view_sees_the_same_facts_and_nothing_to_press(person, specimen):
    add_run(specimen)
    Job.objects.filter(pk=specimen.pk).update(failing_since=datetime.now(UTC))
    text = shown(person("view_job"), specimen)
    for title in ("Durations of the last runs", "What holds, and who says it", "Next fire times", "Last runs"):
        assert section(text, title)
    main = text[text.index('class="sb-page"') :]
    for forbidden in ("<form", "<button", "<input", "csrfmiddlewaretoken"):
        assert forbidden not in main[: main.index("</main>")]


@pytest.mark.parametrize(
    ("permission", "there", "missing"),
    [
        ("run_job", ["sb-run-now"], ["sb-skip-next", "sb-reset-failure", "_preview"]),
        ("change_job", ["sb-skip-next", "sb-reset-failure", "_preview", "_save"], ["sb-run-now"]),
    ],
)
def test_each_sees_the_buttons_that_they_may_press(person, specimen, permission, there, missing):
    Job.objects.filter(pk=specimen.pk).update(failing_since=datetime.now(UTC))
    text = shown(person("view_job", permission), specimen)
    assert all(f'"{name}"' in text for name in there)
    assert not any(f'"{name}"' in text for name in missing)


def test_the_page_takes_few_queries(admin_client, specimen, django_assert_max_num_queries):
    for number in range(40):
        add_run(specimen, hours_ago=number + 1)
    with django_assert_max_num_queries(9):
        shown(admin_client, specimen)


# Its queue


def hand(job: Job, minutes: float, **values) -> Run:
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    times = {"scheduled_for": since, "handed_at": since, "hand_at": since}
    status = values.pop("status", Status.QUEUED)
    run = Run.objects.create(job=job, status=status, cause=Cause.SCHEDULE, queue="reports", **{**times, **values})
    Job.objects.filter(pk=job.pk).update(handed_run_id=run.pk, override_queue="reports")
    return run


def test_the_page_says_in_which_queue_it_runs(admin_client, specimen, tasks):
    Job.objects.filter(pk=specimen.pk).update(override_queue="reports")
    assert "in queue reports of the engine" in shown(admin_client, specimen)


def test_a_queue_that_nobody_serves_is_warned_of_with_what_to_do(admin_client, specimen, tasks):
    hand(specimen, 1)
    assert "Nobody serves" not in shown(admin_client, specimen)
    hand(specimen, 3)
    text = shown(admin_client, specimen)
    assert "Nobody serves queue reports: a run waits since" in text
    assert "and no worker of it is known." in text
    assert "Start a worker of the engine that takes tasks of queue reports" in text
    Runner.objects.update(held=True)
    assert "Nobody serves" not in shown(admin_client, specimen)


def test_the_warning_tells_the_last_sign_of_a_worker(admin_client, specimen, tasks):
    hand(specimen, 9)
    other = Job.objects.get(name="tests.demo.by_hand")
    began = datetime.now(UTC) - timedelta(hours=2)
    run = hand(other, 130, status=Status.RUNNING, started_at=began, heartbeat_at=began, host="far")
    assert "last sign of a worker: " in shown(admin_client, specimen)
    Run.objects.filter(pk=run.pk).update(heartbeat_at=datetime.now(UTC))
    assert "Nobody serves" not in shown(admin_client, specimen)


def test_the_page_of_a_job_with_a_queue_takes_few_queries(admin_client, specimen, tasks, django_assert_max_num_queries):
    hand(specimen, 3)
    with django_assert_max_num_queries(13):
        shown(admin_client, specimen)
