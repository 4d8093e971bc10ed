import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from scheduler_bridge import api, lease
from scheduler_bridge.admin import resumption
from scheduler_bridge.models import Cause, Job, Run, Runner, Status

HOLD = "/admin/scheduler_bridge/job/runner/hold/"
RESUME = "/admin/scheduler_bridge/job/runner/resume/"
OVERVIEW = "/admin/scheduler_bridge/"
SECOND = timedelta(seconds=1)
EVIL = '<script>alert("x")</script>'
SPECIMEN, BY_HAND = "tests.demo.specimen", "tests.demo.by_hand"


@pytest.fixture
def holder(person) -> Client:
    return person("view_job", "hold_runner")


@pytest.fixture(autouse=True)
def present(now) -> Iterator[None]:
    """Let all happen at one moment: what the code made due is not due then, however long ago the tables were made."""
    with time_machine.travel(now, tick=False):
        yield


@pytest.fixture
def moment(db, now) -> datetime:
    Runner.objects.update(held=False, held_reason="", held_by="", held_at=None, held_until=None)
    Job.objects.update(next_run_at=None)
    return now


@pytest.fixture
def held(moment) -> None:
    api.hold("stocktaking", by="alice")


def runner() -> Runner:
    return Runner.objects.get()


def due(name: str, due_at: datetime) -> Job:
    """Let a job be owed the run of this moment."""
    job = Job.objects.get(name=name)
    times = {"next_run_at": due_at, "owed_since": due_at, "owed_before": 1, "last_fire_at": due_at - SECOND}
    Job.objects.filter(pk=job.pk).update(**times)
    return job


def queued(name: str, due_at: datetime, **values) -> Run:
    job = Job.objects.get(name=name)
    return Run.objects.create(job=job, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=due_at, **values)


def ran(name: str, seconds: float) -> None:
    now = datetime.now(UTC)
    times = {"scheduled_for": now, "started_at": now - seconds * SECOND, "finished_at": now}
    Run.objects.create(job=Job.objects.get(name=name), status=Status.SUCCEEDED, cause=Cause.SCHEDULE, **times)


def words(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def log() -> list[str]:
    return [entry.change_message for entry in LogEntry.objects.order_by("id")]


# Hold


def test_a_hold_takes_a_reason_and_an_end_and_is_logged(holder, moment, settings):
    settings.SCHEDULER_BRIDGE = {"TIME_ZONE": "UTC"}
    response = holder.post(HOLD, {"reason": "stocktaking", "until": "2990-01-02 08:00"})
    assert (response.status_code, response.url) == (302, OVERVIEW)
    row = runner()
    assert (row.held, row.held_by, row.held_reason) == (True, "pat@example.com", "stocktaking")
    assert row.held_until == datetime(2990, 1, 2, 8, tzinfo=UTC)
    assert log() == ["hold: - → stocktaking until 2990-01-02 08:00"]


def test_a_hold_without_reason_and_end(holder, moment):
    holder.post(HOLD)
    assert (runner().held, runner().held_reason, runner().held_until) == (True, "", None)
    assert log() == ["hold: - → on hold"]


def test_a_hold_over_a_hold_is_logged_with_both(holder, held):
    holder.post(HOLD, {"reason": "fire"})
    assert log() == ["hold: stocktaking → fire"]


@pytest.mark.parametrize("until", ["soon", "2001-01-01 08:00", "25:00"])
def test_an_end_that_is_none_is_refused_at_its_field(holder, moment, until):
    response = holder.post(HOLD, {"reason": EVIL, "until": until, "next": "/admin/scheduler_bridge/job/"})
    html = response.content.decode()
    assert response.status_code == 200
    assert "errorlist" in html
    assert EVIL not in html
    assert 'value="&lt;script&gt;' in html  # what was typed is still there
    assert 'name="next" value="/admin/scheduler_bridge/job/"' in html
    assert not runner().held
    assert log() == []


def test_a_reason_that_is_too_long_is_refused(holder, moment):
    assert "errorlist" in holder.post(HOLD, {"reason": "x" * 501}).content.decode()
    assert not runner().held


@pytest.mark.parametrize(
    ("page", "back"),
    [
        ("/admin/scheduler_bridge/job/?q=x", "/admin/scheduler_bridge/job/?q=x"),
        ("https://evil.example/", OVERVIEW),
        ("//evil.example/", OVERVIEW),
        ("javascript:alert(1)", OVERVIEW),
        ("", OVERVIEW),
    ],
)
def test_a_hold_leads_back_to_the_page_it_came_from_if_that_is_ours(holder, moment, page, back):
    assert holder.post(HOLD, {"next": page}).url == back


# Before a resume


def test_before_a_resume_is_shown_what_would_start_when_and_how_long_it_takes(holder, held, moment):
    due(SPECIMEN, moment - 60 * SECOND)
    queued(BY_HAND, moment - SECOND, requested_by="kim")
    ran(SPECIMEN, 30)
    ran(BY_HAND, 90)
    lease.acquire(lease.Identity.mine(), None, moment)
    found = words(holder.get(RESUME))
    assert "On hold since" in found
    assert "by alice: stocktaking" in found
    assert "2 runs are due. All of them take about 2 min 0 s, until" in found
    assert found.index(BY_HAND) < found.index(SPECIMEN)
    assert "by hand (kim)" in found
    assert "at once 1 min 30 s" in found
    assert "after about 1 min 30 s 30 s" in found
    assert "Nothing starts all the same" not in found


def test_what_runs_still_goes_first(holder, held, moment):
    due(SPECIMEN, moment - SECOND)
    ran(SPECIMEN, 3600)
    run = queued(BY_HAND, moment)
    Run.objects.filter(pk=run.pk).update(status=Status.RUNNING, started_at=moment)
    found = words(holder.get(RESUME))
    assert f"{BY_HAND} runs still: " in found
    assert "after those above 1 h 0 min" in found


def test_what_never_ran_makes_the_sum_a_least(holder, held, moment):
    due(SPECIMEN, moment - SECOND)
    found = words(holder.get(RESUME))
    assert "1 run is due. It takes more than 0 s: not all that starts has run before." in found
    assert "not known yet" in found


def test_nothing_may_be_due(holder, held):
    found = words(holder.get(RESUME))
    assert "Nothing is due" in found
    assert "Resume, skip all" not in found


def test_that_no_runner_is_there_to_start_it_is_said(holder, held):
    lease.acquire(lease.Identity.mine(), lease.holder(), datetime.now(UTC) - timedelta(hours=1))
    assert "Nothing starts all the same: no runner is alive." in words(holder.get(RESUME))


def test_names_and_reasons_are_escaped(holder, moment):
    api.hold(EVIL, by=EVIL)
    Job.objects.filter(name=SPECIMEN).update(name=EVIL)
    due(EVIL, moment - SECOND)
    queued(EVIL, moment, requested_by=EVIL)
    html = holder.get(RESUME).content.decode()
    assert EVIL not in html
    assert html.count("&lt;script&gt;") >= 4


def test_one_who_may_only_view_sees_the_line_without_a_form(person, held, moment):
    due(SPECIMEN, moment - SECOND)
    html = person("view_job").get(RESUME).content.decode()
    assert SPECIMEN in html
    assert 'type="checkbox"' not in html
    assert 'name="pending"' not in html


def test_a_runner_that_is_not_on_hold_offers_no_resume(holder, moment):
    html = holder.get(RESUME).content.decode()
    assert "The runner is not on hold." in html
    assert 'name="pending"' not in html


def test_runs_of_one_job_are_ticked_together(holder, held, moment):
    due(SPECIMEN, moment - SECOND)
    queued(SPECIMEN, moment)
    html = holder.get(RESUME).content.decode()
    assert html.count('type="checkbox"') == 1
    assert "as above" in html


def test_of_very_many_the_first_are_shown_and_the_rest_is_counted(holder, held, moment, monkeypatch):
    monkeypatch.setattr(resumption, "SHOWN", 2)
    for _ in range(5):
        queued(SPECIMEN, moment)
    assert "3 more runs are due; they run unless all are skipped." in words(holder.get(RESUME))


# Resume


def statuses() -> dict[str, str]:
    return dict(Run.objects.exclude(status=Status.SUCCEEDED).values_list("job__name", "status"))


def shown(client: Client) -> str:
    return re.search(r'name="listed" value="([^"]*)"', client.get(RESUME).content.decode())[1]


def test_all_run(holder, held, moment):
    queued(SPECIMEN, moment)
    response = holder.post(RESUME, {"pending": "run"})
    assert (response.status_code, response.url) == (302, OVERVIEW)
    assert statuses() == {SPECIMEN: Status.QUEUED}
    assert not runner().held
    assert log() == ["hold: stocktaking → -; what was due: run"]


def test_all_are_skipped(holder, held, moment):
    due(SPECIMEN, moment - SECOND)
    queued(BY_HAND, moment)
    holder.post(RESUME, {"pending": "skip"})
    assert statuses() == {SPECIMEN: Status.SKIPPED, BY_HAND: Status.SKIPPED}
    assert not runner().held
    assert log() == ["hold: stocktaking → -; what was due: skipped"]


def test_job_by_job_those_that_are_not_ticked_are_skipped(holder, held, moment):
    specimen = due(SPECIMEN, moment - SECOND)
    queued(BY_HAND, moment)
    holder.post(RESUME, {"pending": "choice", "listed": shown(holder), "run": [specimen.pk]})
    assert statuses() == {BY_HAND: Status.SKIPPED}
    assert Job.objects.get(name=SPECIMEN).next_run_at is not None
    assert log() == [f"hold: stocktaking → -; what was due: run, but for {BY_HAND}"]


def test_what_fell_due_after_it_was_looked_at_runs(holder, held, moment):
    queued(BY_HAND, moment)
    listed = shown(holder)
    queued(SPECIMEN, moment)
    holder.post(RESUME, {"pending": "choice", "listed": listed})
    assert statuses() == {BY_HAND: Status.SKIPPED, SPECIMEN: Status.QUEUED}


@pytest.mark.parametrize("listed", ["", "x,-1,²", "99999999", "9" * 30])
def test_nonsense_skips_nothing(holder, held, moment, listed):
    queued(SPECIMEN, moment)
    holder.post(RESUME, {"pending": "choice", "listed": listed, "run": ["x", ""]})
    assert statuses() == {SPECIMEN: Status.QUEUED}
    assert not runner().held


def test_a_resume_of_a_runner_that_goes_on_already_skips_nothing(holder, moment):
    queued(SPECIMEN, moment)
    response = holder.post(RESUME, {"pending": "skip"}, follow=True)
    assert "The runner is not on hold." in words(response)
    assert statuses() == {SPECIMEN: Status.QUEUED}
    assert log() == []


def test_a_get_never_acts(holder, held, moment):
    queued(SPECIMEN, moment)
    assert holder.get(RESUME, {"pending": "skip"}).status_code == 200
    assert holder.get(HOLD, {"reason": "fire"}).status_code == 405
    assert (runner().held, runner().held_reason) == (True, "stocktaking")
    assert statuses() == {SPECIMEN: Status.QUEUED}
    assert log() == []


@pytest.mark.parametrize("permissions", [[], ["view_job"], ["view_job", "change_job", "run_job", "view_run"]])
def test_only_one_who_may_hold_holds_and_resumes(person, moment, permissions):
    client = person(*permissions)
    assert client.post(HOLD, {"reason": "fire"}).status_code == 403
    assert not runner().held
    api.hold("stocktaking")
    assert client.post(RESUME, {"pending": "skip"}).status_code == 403
    assert runner().held
    assert client.get(RESUME).status_code == (200 if permissions else 403)
    assert log() == []


def test_a_post_from_another_site_is_refused(admin_user, held):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert client.post(HOLD).status_code == 403
    assert client.post(RESUME).status_code == 403
    assert runner().held_reason == "stocktaking"


def test_one_who_is_not_logged_in_is_asked_to(db):
    assert Client().post(HOLD).status_code == 302
    assert Client().get(RESUME).status_code == 302


def test_the_addresses_have_their_names():
    assert reverse("admin:scheduler_bridge_hold") == HOLD
    assert reverse("admin:scheduler_bridge_resume") == RESUME


def test_a_resume_says_what_is_handed_over(holder, held, moment, tasks):
    due(SPECIMEN, moment - SECOND)
    Job.objects.filter(name=SPECIMEN).update(override_queue="reports")
    queued(BY_HAND, moment - SECOND)
    text = " ".join(re.sub(r"<[^>]+>", " ", holder.get(RESUME).content.decode()).split())
    assert "when a worker of queue reports takes it up" in text
    assert "1 run is handed over." in text
    assert text.index("tests.demo.by_hand") < text.index("tests.demo.specimen")
    queued_only = Run.objects.filter(status=Status.QUEUED)
    queued_only.delete()
    assert "1 run is handed over." in holder.get(RESUME).content.decode()
    holder.post(RESUME, {"pending": "choice", "listed": str(Job.objects.get(name=SPECIMEN).pk)})
    assert Run.objects.get().status == Status.SKIPPED
