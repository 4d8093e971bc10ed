"""A trigger that breaks makes one broken job, which says so; every other job goes on as if nothing were wrong."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
import time_machine
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import Client
from django.urls import reverse

from scheduler_bridge import (
    api,
    checks,
    coming,
    deployment,
    diagnosis,
    discovery,
    errand,
    expiry,
    forecast,
    gate,
    history,
    notifications,
    overview,
    receivers,
    registry,
)
from scheduler_bridge.discovery import Discovery, discover
from scheduler_bridge.exceptions import NothingToSkip, TriggerError
from scheduler_bridge.handing import HandOver, Told
from scheduler_bridge.history import Firing
from scheduler_bridge.management import listing
from scheduler_bridge.models import Cause, Job, Report, Run, Status
from scheduler_bridge.scheduler import Scheduler
from scheduler_bridge.schedules import Interval
from scheduler_bridge.worker import OneWorker

from .bad_triggers import BREAKING, ENDLESS, MINUTE, Changing, made

HOUR = timedelta(hours=1)
QUICK = (*BREAKING, "has no words", "never meets")
ALL = (*QUICK, *ENDLESS)


class Shop:
    """Two jobs: one whose trigger the settings say, and a healthy one that runs every four minutes."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def time(self, trigger: BaseTrigger | None) -> None:
        """Let the settings say this trigger, as after another deployment."""
        overrides = {} if trigger is None else {"shop.bad": {"trigger": trigger}}
        self._settings.SCHEDULER_BRIDGE = {"OVERRIDES": overrides, "NOTIFY": ["ops@example.com"]}

    def follow(self, now: datetime) -> list[str]:
        """Do what a migrate does."""
        lines = deployment.follow(now)
        history.report_broken(now)
        return lines

    def bad(self) -> Job:
        return Job.objects.get(name="shop.bad")

    def good(self) -> Job:
        return Job.objects.get(name="shop.good")


@pytest.fixture
def shop(db, me, now, monkeypatch, settings):
    specimen = discover().definitions["tests.demo.specimen"]
    definitions = [
        replace(specimen, app="shop", command=name, schedule=Interval(4 * MINUTE), queue="") for name in ("bad", "good")
    ]
    found = Discovery(definitions=MappingProxyType({item.name: item for item in definitions}), broken={}, others=())
    monkeypatch.setattr(discovery, "discover", lambda: found)
    monkeypatch.setattr(deployment, "discover", lambda: found)
    monkeypatch.setattr(checks, "discover", lambda: found)
    Job.objects.all().delete()
    return Shop(settings)


@pytest.fixture
def client(db) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root@example.com", password="x"))
    return client


def said(how: str) -> str:
    if how == "never meets":
        return "AndTrigger fires only at"
    return "ValueError" if how == "has no words" else {**BREAKING, **ENDLESS}[how][1]


# Rows


@pytest.mark.parametrize("how", ALL)
def test_migrate_makes_one_broken_job_and_times_the_other(shop, now, how):
    shop.time(made(how))
    lines = shop.follow(now)
    assert (shop.good().next_run_at, shop.good().broken) == (now + 4 * MINUTE, "")
    bad = shop.bad()
    assert bad.next_run_at is None
    assert bad.broken.startswith("its trigger cannot be used: ")
    assert said(how) in bad.broken
    assert f"broken job shop.bad: {bad.broken}" in lines


@pytest.mark.parametrize("how", ALL)
def test_a_trigger_that_breaks_later_breaks_no_migrate(shop, now, how):
    shop.time(None)
    shop.follow(now)
    shop.time(made(how))
    shop.follow(now + MINUTE)
    assert said(how) in shop.bad().broken
    assert shop.good().next_run_at == now + 4 * MINUTE


def test_a_broken_trigger_is_told_of_once_however_often_migrate_comes(shop, now):
    shop.time(made("raises"))
    shop.follow(now)
    for number in range(1, 4):
        shop.time(made("raises"))  # another process: another object
        assert shop.follow(now + number * HOUR) == []
    assert Run.objects.count() == 1


def test_the_report_is_a_failed_run_that_never_started(shop, now):
    shop.time(made("raises"))
    shop.follow(now)
    run, job = Run.objects.get(), shop.bad()
    assert (run.job, run.status, run.cause, run.report) == (job, Status.FAILED, Cause.SCHEDULE, Report.DUE)
    assert (run.scheduled_for, run.started_at, run.finished_at, run.reason) == (now, None, now, job.broken)
    assert (job.last_run, job.failing_since) == (run, now)


def test_one_mail_tells_of_it(shop, now):
    shop.time(made("raises"))
    shop.follow(now)
    assert notifications.send_due(now) == 1
    assert notifications.send_due(now + HOUR) == 0
    assert "shop.bad failed: its trigger cannot be used: " in mail.outbox[0].subject


def test_of_two_processes_that_find_it_one_reports(shop, now):
    shop.time(made("raises"))
    deployment.follow(now)
    assert len(history.report_broken(now)) == 1
    assert history.report_broken(now + MINUTE) == ()


def test_a_row_that_is_broken_otherwise_is_not_reported_for_its_trigger(shop, now):
    shop.time(made("raises"))
    deployment.follow(now)
    Job.objects.filter(name="shop.bad").update(broken="Traceback\nImportError: gone")
    assert history.report_broken(now) == ()


def test_a_mended_trigger_is_timed_from_then_on_and_a_new_breaking_reported_again(shop, now):
    trigger = Changing(BREAKING["raises"][0])
    shop.time(trigger)
    shop.follow(now)
    trigger.is_bad = False
    shop.time(trigger)
    later = now + 3 * HOUR
    assert shop.follow(later) == ["mended job shop.bad: its trigger answers again"]
    bad = shop.bad()
    assert (bad.broken, bad.trigger_error, bad.next_run_at) == ("", "", later + MINUTE)
    assert registry.due(bad, registry.trigger_of(registry.plan_of(bad), bad, later), later) is None
    trigger.is_bad = True
    row = shop.bad()
    Job.objects.filter(pk=row.pk).update(schedule_key="another")
    shop.time(trigger)
    shop.follow(later + HOUR)
    assert Run.objects.count() == 2


def test_an_override_of_a_person_mends_the_job(shop, now):
    shop.time(made("raises"))
    shop.follow(now)
    with time_machine.travel(now + HOUR, tick=False):
        row = shop.bad()
        row.override_interval = timedelta(minutes=10)
        row.save()
    bad = shop.bad()
    assert (bad.broken, bad.next_run_at) == ("", now + HOUR + timedelta(minutes=10))


def test_the_end_of_an_override_uncovers_a_broken_trigger(shop, now):
    shop.time(made("raises"))
    Job.objects.all().delete()
    registry.sync(now)
    Job.objects.filter(name="shop.bad").update(
        override_interval=10 * MINUTE, override_until=now + HOUR, trigger_error=""
    )
    registry.Reader().read_all(now)
    assert shop.bad().trigger_error == ""
    assert expiry.expire(now + HOUR)
    assert "ValueError" in shop.bad().trigger_error


def test_a_row_read_before_takes_nothing_back(shop, now):
    shop.time(None)
    shop.follow(now)
    stale = shop.bad()
    Job.objects.filter(pk=stale.pk).update(broken="x", trigger_error="x", set_aside="x")
    stale.description = "another"
    Job.save(stale)
    assert shop.bad().broken == "x"


# The runner's reading


@pytest.mark.parametrize("how", ALL)
def test_reading_plans_the_others_and_records_what_broke(shop, now, how):
    shop.time(None)
    shop.follow(now)
    reader = registry.Reader()
    assert {item.name for item in reader.read_all(now).planned} == {"shop.bad", "shop.good"}
    shop.time(made(how))
    reading = reader.read_all(now + MINUTE)
    assert [item.name for item in reading.planned] == ["shop.good"]
    assert reading.is_any_broken
    assert said(how) in shop.bad().trigger_error


def test_what_was_due_as_the_trigger_broke_still_runs(shop, now):
    trigger = Changing(BREAKING["raises"][0], is_bad=False)
    shop.time(trigger)
    shop.follow(now)
    trigger.is_bad = True
    later = now + 10 * MINUTE
    for reading in (registry.Reader().read_all(later), registry.Reader().read_all(later + HOUR)):
        planned = {item.name: item for item in reading.planned}
        assert planned["shop.bad"].trigger is None
        assert (planned["shop.bad"].due.latest, planned["shop.bad"].due.coalesced) == (now + MINUTE, 0)
    assert shop.bad().next_run_at == now + MINUTE


def test_a_broken_trigger_is_asked_again_after_a_pause_that_grows_to_an_hour(shop, now):
    trigger = Changing(BREAKING["raises"][0])
    shop.time(trigger)
    shop.follow(now)
    reader, asked = registry.Reader(), []
    reader.read_all(now)
    for minute in range(1, 400):
        before = trigger.asked
        reader.read_changed(now + minute * MINUTE)
        asked += [minute] if trigger.asked > before else []
    gaps = [later - earlier for earlier, later in zip([0, *asked], asked, strict=False)]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    assert reader.retry_pause(now + 399 * MINUTE) > 0


def test_a_reading_that_a_person_asked_for_asks_it_at_once(shop, now):
    trigger = Changing(BREAKING["raises"][0])
    shop.time(trigger)
    shop.follow(now)
    reader = registry.Reader()
    reader.read_all(now)
    before = trigger.asked
    reader.read_all(now, retry=False)
    assert trigger.asked == before
    trigger.is_bad = False
    assert {item.name for item in reader.read_all(now).planned} == {"shop.bad", "shop.good"}


def test_one_that_answers_again_is_planned_from_then_on(shop, now, caplog):
    trigger = Changing(BREAKING["raises"][0])
    shop.time(trigger)
    shop.follow(now)
    reader = registry.Reader()
    reader.read_all(now)
    trigger.is_bad = False
    later = now + MINUTE
    with caplog.at_level("INFO", "scheduler_bridge"):
        planned = {item.name: item for item in reader.read_changed(later).planned}
    assert (planned["shop.bad"].next_run_at, planned["shop.bad"].due) == (later + MINUTE, None)
    assert shop.bad().broken == ""
    assert [record for record in caplog.records if "its trigger answers again" in record.getMessage()]


def test_one_that_breaks_at_each_turn_is_not_reported_at_each(shop, now):
    trigger = Changing(BREAKING["raises"][0])
    shop.time(trigger)
    shop.follow(now)
    reader = registry.Reader()
    reader.read_all(now)
    for minute in range(1, 600):
        moment = now + minute * MINUTE
        trigger.is_bad = False
        reader.read_changed(moment)
        trigger.is_bad = True
        row = shop.bad()
        if not row.trigger_error:
            registry.note(row.name, f"{row.pk} {row.schedule_key}", TriggerError("again"), moment)
            reader.read_changed(moment)
            history.report_broken(moment)
    assert Run.objects.count() < 20


def test_a_job_that_is_gone_is_not_waited_for(shop, now):
    shop.time(made("raises"))
    shop.follow(now)
    reader = registry.Reader()
    reader.read_all(now)
    Job.objects.filter(name="shop.bad").delete()
    reader.read_changed(now + HOUR)
    assert reader.retry_pause(now + HOUR) == float("inf")


# Set aside


@pytest.mark.parametrize("how", ENDLESS)
def test_a_trigger_that_gave_no_answer_is_not_asked_at_the_next_start(shop, now, how):
    shop.time(made(how))
    shop.follow(now)
    assert shop.bad().set_aside
    trigger = made(how)  # what another process has
    shop.time(trigger)
    shop.follow(now + HOUR)
    registry.Reader().read_all(now + HOUR)
    registry.peek(now + HOUR)
    assert trigger.asked == 0
    assert "not asked again until" in shop.bad().broken
    assert Run.objects.count() == 1


@pytest.fixture
def aside(shop, now):
    """The trigger of a job that was set aside, as another process has it; it would answer now."""
    trigger = Changing(BREAKING["raises"][0], is_bad=False)
    shop.time(trigger)
    shop.follow(now)
    row = shop.bad()
    registry.note(row.name, f"{row.pk} {row.schedule_key}", TriggerError("no answer", stalled=True), now)
    assert shop.bad().set_aside
    trigger.asked = 0
    return trigger


def test_what_the_loop_told_of_a_former_schedule_is_passed_over(shop, now):
    shop.time(None)
    shop.follow(now)
    registry.note("shop.bad", "another key", TriggerError("no answer", stalled=True), now)
    assert shop.bad().trigger_error == ""


def test_a_person_who_saves_the_job_has_it_asked_again(shop, aside):
    shop.bad().save()
    assert (shop.bad().trigger_error, shop.bad().set_aside) == ("", "")
    assert shop.bad().next_run_at is not None


def test_other_code_has_it_asked_again(shop, aside, now, monkeypatch):
    monkeypatch.setattr(deployment, "code_fingerprint", lambda: "other")
    shop.time(aside)
    shop.follow(now + MINUTE)
    assert shop.bad().trigger_error == ""


def test_other_code_of_the_trigger_has_it_asked_again(shop, aside, now):
    Job.objects.filter(name="shop.bad").update(set_aside="the digest of other code")
    shop.time(aside)
    shop.follow(now + MINUTE)
    assert shop.bad().trigger_error == ""


def test_another_schedule_is_asked(shop, aside, now):
    shop.time(CronTrigger(minute=30, timezone=UTC))
    shop.follow(now)
    assert (shop.bad().set_aside, shop.bad().next_run_at) == ("", now + 30 * MINUTE)


def test_without_any_of_it_nobody_asks(shop, aside, now):
    shop.time(aside)
    shop.follow(now + MINUTE)
    registry.Reader().read_all(now + HOUR)
    assert aside.asked == 0


# The loop


class ByHand(OneWorker):
    """A worker that takes its firings when the test says so."""

    def start(self, scheduler: Any, alias: str) -> None:
        super(OneWorker, self).start(scheduler, alias)


@pytest.fixture
def loop(shop, me):
    """Make a loop that is turned by the test, and what it was told to do and told of."""
    workers = []

    def make() -> tuple[Scheduler, list[Firing], list[str]]:
        done: list[Firing] = []
        told: list[str] = []
        worker = ByHand(done.append, pytest.fail)
        desk = HandOver(me, Told(local=print, look=print, failed=print))
        scheduler = Scheduler(worker, desk, lambda scheduler, now: None, lambda job, error: told.append(job.name))
        scheduler._main_loop = lambda: None
        scheduler.start()
        workers.append(worker)
        return scheduler, done, told

    yield make
    for worker in workers:
        worker.close()


def turned(scheduler: Scheduler, clock: Any, until: datetime) -> None:
    """Turn the loop each half minute until then, and let the worker do what waits."""
    moment = datetime.now(UTC)
    while moment < until:
        moment += MINUTE / 2
        clock.move_to(moment)
        scheduler._process_jobs()
        while scheduler.worker._heap:
            scheduler.worker._take()()


@pytest.mark.parametrize("how", [*BREAKING, *ENDLESS])
def test_a_trigger_that_breaks_in_the_loop_stops_its_own_job_only(shop, loop, now, how):
    trigger = Changing({**BREAKING, **ENDLESS}[how][0], is_bad=False)
    shop.time(trigger)
    shop.follow(now)
    with time_machine.travel(now, tick=False) as clock:
        scheduler, done, told = loop()
        scheduler.apply(registry.Reader().read_all(now).planned, (), False)
        turned(scheduler, clock, now + 2 * MINUTE)
        trigger.is_bad = True
        turned(scheduler, clock, now + 20 * MINUTE)
    times = {name: [item.fire_time for item in done if item.name == name] for name in ("shop.bad", "shop.good")}
    assert times["shop.good"] == [now + number * 4 * MINUTE for number in range(1, 6)]
    assert times["shop.bad"] == [now + MINUTE, now + 2 * MINUTE, now + 3 * MINUTE]
    assert set(told) == {"shop.bad"}
    assert scheduler.asking.now is None


def test_a_trigger_that_breaks_as_it_is_handed_to_the_loop_stops_its_own_job_only(shop, loop, now):
    trigger = Changing(BREAKING["raises"][0], is_bad=False)
    shop.time(trigger)
    shop.follow(now)
    later = now + 10 * MINUTE
    planned = registry.Reader().read_all(later).planned
    trigger.is_bad = True
    with time_machine.travel(later, tick=False) as clock:
        scheduler, done, told = loop()
        scheduler.apply(planned, (), False)
        turned(scheduler, clock, later + MINUTE)
    assert {(item.name, item.fire_time, item.coalesced) for item in done} == {
        ("shop.bad", later, 9),
        ("shop.good", now + 8 * MINUTE, 1),
    }
    assert told == ["shop.bad"]


def test_it_is_known_for_which_job_the_loop_asks(shop, loop, now):
    seen = []
    trigger = Changing(lambda moment: seen.append(scheduler.asking.now) or moment + MINUTE)
    shop.time(trigger)
    shop.follow(now)
    with time_machine.travel(now, tick=False) as clock:
        scheduler, _done, _told = loop()
        scheduler.apply(registry.Reader().read_all(now).planned, (), False)
        seen.clear()
        turned(scheduler, clock, now + 2 * MINUTE)
    assert {asked.name for asked in seen} == {"shop.bad"}


# The gate and a worker elsewhere


def firing(row: Job, at: datetime, coalesced: int = 0) -> Firing:
    return Firing(job_id=row.pk, name=row.name, cause=Cause.SCHEDULE, fire_time=at, coalesced=coalesced)


@pytest.mark.parametrize("how", ALL)
def test_the_gate_lets_a_firing_of_a_broken_trigger_through(shop, now, how):
    shop.time(Changing(BREAKING["raises"][0], is_bad=False))
    shop.follow(now)
    row, due = shop.bad(), now + MINUTE
    shop.time(made(how))
    admitted = gate.admit(firing(row, due, 3), due)
    assert (admitted.firing.coalesced, admitted.next_run_at, admitted.barred) == (3, None, "")
    assert gate.admit(firing(shop.good(), now + 4 * MINUTE), due).next_run_at == now + 8 * MINUTE


@pytest.mark.parametrize("how", QUICK)
def test_a_worker_elsewhere_performs_what_was_due(shop, now, how):
    shop.time(None)
    shop.follow(now)
    shop.time(made(how))
    later, next_run_at = errand._due_meanwhile(firing(shop.bad(), now + 4 * MINUTE), now + 5 * MINUTE)
    assert next_run_at is None
    assert later is None or later.fire_time == now + 4 * MINUTE


# What is said and shown


@pytest.fixture(params=ALL)
def unnoticed(request, shop, now):
    """A trigger that breaks before anybody recorded that."""
    trigger = Changing(BREAKING["raises"][0], is_bad=False)
    shop.time(trigger)
    shop.follow(now)
    if request.param in {"never meets", "has no words"}:
        shop.time(made(request.param))
    else:
        trigger.bad, trigger.is_bad = {**BREAKING, **ENDLESS}[request.param][0], True
    return request.param


def test_forecasts_go_on_without_it(shop, unnoticed, now):
    found = forecast.ahead(now, now + HOUR)
    assert [start.starts for start in found.starts if start.name == "shop.good"][:2] == [
        now + 4 * MINUTE,
        now + 8 * MINUTE,
    ]
    assert not any(start.name == "shop.bad" for start in found.starts)


def test_what_is_to_come_goes_on_without_it(shop, unnoticed, now):
    assert coming.fires(shop.bad(), now, 3) == ()
    assert len(coming.fires(shop.good(), now, 3)) == 3


def test_the_overview_goes_on_without_it(shop, unnoticed, now):
    assert "shop.good" in {place.waiting.name for place in overview.work(now + 5 * MINUTE).line}


def test_the_api_goes_on_without_it(shop, unnoticed, now):
    assert {item.name for item in api.pending(now + 5 * MINUTE)} >= {"shop.good"}
    api.hold()
    api.resume("skip")
    with pytest.raises(NothingToSkip):
        api.skip_next("shop.bad")
    assert api.skip_next("shop.good") > now


def test_the_pages_show_it(shop, unnoticed, client, now):
    bad = shop.bad()
    for address in (
        reverse("admin:scheduler_bridge_job_changelist"),
        reverse("admin:scheduler_bridge_job_change", args=[bad.pk]),
        reverse("admin:scheduler_bridge_job_change", args=[bad.pk]) + "?forecast=1",
        reverse("admin:scheduler_bridge_timeline"),
        reverse("admin:index"),
    ):
        assert client.get(address).status_code == 200


def test_the_form_saves_it_and_says_why_it_is_broken(shop, now, client):
    shop.time(made("raises"))
    shop.follow(now)
    bad = shop.bad()
    page = reverse("admin:scheduler_bridge_job_change", args=[bad.pk])
    text = client.get(page).content.decode()
    assert "This job is broken" in text
    assert "its trigger cannot be used: " in text
    assert "Its command cannot be loaded" not in text
    assert client.post(page, {"enabled": "on", "override_kind": ""}).status_code in {200, 302}
    assert (
        "its trigger cannot be used: " in client.get(reverse("admin:scheduler_bridge_job_changelist")).content.decode()
    )


def test_a_module_that_cannot_be_loaded_is_shown_as_before(shop, now, client):
    shop.time(None)
    shop.follow(now)
    Job.objects.filter(name="shop.bad").update(broken="Traceback (most recent call last):\nImportError: gone")
    page = reverse("admin:scheduler_bridge_job_change", args=[shop.bad().pk])
    assert "Its command cannot be loaded" in client.get(page).content.decode()


def test_why_and_the_list_say_it(shop, now):
    shop.time(made("raises"))
    shop.follow(now)
    assert diagnosis.why("shop.bad", now).text == shop.bad().broken
    entry = next(entry for entry in listing.entries() if entry.name == "shop.bad")
    assert (entry.broken, entry.broken_reason) == (True, shop.bad().broken)
    assert listing.columns([entry])[1][1] == "broken"


@pytest.mark.parametrize("how", ALL)
def test_check_warns_of_it_and_asks_no_database(shop, django_assert_num_queries, how):
    shop.time(made(how))
    with django_assert_num_queries(0):
        found = checks.check_triggers()
    assert [message.id for message in found] == ["scheduler_bridge.W105"]
    assert "OVERRIDES['shop.bad']: its trigger cannot be used: " in found[0].msg
    assert said(how) in found[0].msg
    assert ("as one CronTrigger" in found[0].hint) == (how == "never meets")


def test_check_warns_of_a_trigger_without_a_fire_time(shop):
    shop.time(CronTrigger(month=2, day=30, timezone=UTC))
    assert "its trigger has no fire time to come: cron[month='2', day='30']" in checks.check_triggers()[0].msg


def test_check_says_nothing_of_a_sound_trigger(shop):
    shop.time(CronTrigger(minute="*/20", timezone=UTC))
    assert checks.check_triggers() == []


def test_a_save_that_finds_it_reports_it(shop, now):
    shop.time(None)
    shop.follow(now)
    shop.time(made("raises"))
    receivers.job_changed(instance=shop.bad())
    assert Run.objects.get().reason == shop.bad().broken
