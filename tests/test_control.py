"""The steps of the control thread, called one by one; the thread itself is seen in the acceptance tests."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from django.db import connection as database
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from scheduler_bridge import api, badge, connection, control, deployment, identity, lease, receivers, standby, systemd
from scheduler_bridge.asking import Timed
from scheduler_bridge.away import News
from scheduler_bridge.badge import Badge
from scheduler_bridge.changes import POLL
from scheduler_bridge.control import STALLED_AFTER, Control
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.fence import Fence
from scheduler_bridge.history.hand_over import AT_ONCE
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Job, Run, Runner, Status
from scheduler_bridge.orders import Orders, Timetable
from scheduler_bridge.renewal import Renewal

OTHER = Identity(token="other", host="elsewhere", machine="elsewhere", pid=4711, process_started=0.0)


class Told:
    """What the process was told."""

    def __init__(self) -> None:
        self.timetables: list[Timetable] = []
        self.news: list[News] = []
        self.outdated = 0
        self.occupied: list[str] = []
        self.waits = True
        self.turn: tuple[datetime, float] | None = None
        self.busy = False
        self.asking: Timed | None = None
        self.mails: list[bool] = []
        self.renewed: list[bool] = []
        self.fence: Fence | None = None
        self.errands: list[Callable[[], int]] = []

    def orders(self) -> Orders:
        return Orders(
            apply=self.timetables.append,
            news=self.news.append,
            outdated=self.hear_outdated,
            occupied=self.hear_occupied,
            failed=pytest.fail,
            loop_at=lambda: self.turn,
            busy=lambda: self.busy,
            between=self.errands.append,
            asking=lambda: self.asking,
            mail=lambda: self.mails.append(True),
            renew=lambda: self.renewed.append(True),
        )

    def hear_outdated(self) -> None:
        self.outdated += 1

    def hear_occupied(self, text: str) -> bool:
        self.occupied.append(text)
        return self.waits


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def subject(transactional_db, told, monkeypatch):
    """A control thread that was never started; its test is the one that turns it."""
    monkeypatch.setattr(connection, "drop", lambda alias: None)
    deployment.follow(datetime.now(UTC))
    Runner.objects.filter(pk=Runner.ROW).update(token="", held=False)
    me = Identity.mine()
    told.fence = Fence(lambda: None, pytest.fail)
    subject = Control(me, told.orders(), Renewal(me, told.fence, lambda: told.turn))
    yield subject
    lease.release(subject.me)


@pytest.fixture
def serving(subject):
    assert subject._become_runner()
    assert subject._start()
    subject._beaten_at = float("-inf")
    return subject


def test_a_free_lease_is_taken_and_everything_read(serving, told):
    assert lease.holder().token == serving.me.token
    planned = {item.name for item in told.timetables[0].planned}
    assert "tests.demo.specimen" in planned


def test_after_an_outage_it_shows_which_database_answers_now(serving, monkeypatch):
    monkeypatch.setattr(identity, "learn", lambda using: "that-of-the-replica")
    answers = iter([OperationalError("gone"), True])

    def step() -> bool:
        answer = next(answers)
        if isinstance(answer, OperationalError):
            raise answer
        return answer

    assert not serving._survive(step)
    assert badge.shown(os.getpid()) == (Badge(serving.me.token, identity.known()),)
    assert serving._survive(step)
    assert badge.shown(os.getpid()) == (Badge(serving.me.token, "that-of-the-replica"),)


def test_a_standby_says_once_who_the_runner_is(subject, told, monkeypatch):
    lease.acquire(OTHER, None, datetime.now(UTC))
    looks = iter(range(3))
    monkeypatch.setattr(subject, "_pause", lambda seconds: next(looks, None) is None and subject.stop())
    assert not subject._become_runner()
    assert len(told.occupied) == 1
    assert "elsewhere process 4711 is the runner since" in told.occupied[0]


def test_one_who_may_not_wait_goes(subject, told):
    told.waits = False
    lease.acquire(OTHER, None, datetime.now(UTC))
    assert not subject._become_runner()
    assert lease.holder().token == "other"


def test_a_standby_notices_that_newer_code_was_migrated(subject, told, monkeypatch):
    lease.acquire(OTHER, None, datetime.now(UTC))
    monkeypatch.setattr(subject, "_pause", lambda seconds: Runner.objects.update(code="newer"))
    assert not subject._become_runner()
    assert told.outdated == 1


def test_a_standby_takes_over_when_the_lease_is_given_back(subject, monkeypatch):
    lease.acquire(OTHER, None, datetime.now(UTC))
    monkeypatch.setattr(subject, "_pause", lambda seconds: lease.release(OTHER))
    assert subject._become_runner()
    assert lease.holder().token == subject.me.token


def test_after_an_outage_it_is_looked_for_runs_whose_end_the_database_has_lost(serving, told, monkeypatch):
    turns = iter([False, True, True])

    def turn() -> bool:
        if not next(turns):
            raise OperationalError("connection refused")
        return True

    seen: list[int] = []
    monkeypatch.setattr(serving, "_turn", turn)
    monkeypatch.setattr(
        serving, "_pause", lambda seconds: seen.append(len(told.errands)) or len(seen) < 3 or serving.stop()
    )
    serving._serve()
    assert seen == [0, 1, 1]
    assert told.errands[0]() == 0


def test_after_an_outage_all_jobs_are_read_since_a_change_may_not_have_been_told_of(serving, told, monkeypatch):
    serving._turn()
    Job.objects.filter(name="tests.demo.specimen").update(enabled=False)  # and nobody has said so
    failing, real = iter([True, False, False]), serving._turn

    def turn() -> bool:
        if next(failing):
            raise OperationalError("connection refused")
        return real()

    looks = iter(range(2))
    monkeypatch.setattr(serving, "_turn", turn)
    monkeypatch.setattr(serving, "_pause", lambda seconds: next(looks, None) is None and serving.stop())
    serving._serve()
    assert [item.name for item in told.timetables[-1].planned if item.trigger].count("tests.demo.specimen") == 0
    assert told.timetables[-1].gone is None


def test_an_outage_is_said_once_and_its_end_too(subject, caplog):
    caplog.set_level("INFO", "scheduler_bridge")

    def fail() -> bool:
        raise OperationalError("connection refused\n")

    assert [subject._survive(step) for step in (fail, fail, lambda: True, lambda: True)] == [False, False, True, True]
    assert [record.getMessage() for record in caplog.records] == [
        "the database does not answer, waiting: connection refused",
        "the database answers again",
    ]


def test_what_a_dead_runner_left_is_abandoned_at_the_start(subject, job, now, caplog):
    left = Run.objects.create(
        job=job, status=Status.RUNNING, scheduled_for=now, started_at=now, host="elsewhere", marker="never-swept"
    )
    subject._become_runner()
    subject._start()
    left.refresh_from_db()
    assert (left.status, left.reason) == (Status.ABANDONED, "its runner is gone")
    assert f"job demo.specimen run {left.pk} abandoned" in caplog.text


def test_who_waits_for_the_lease_is_known_before_a_run_begins(subject, told):
    known: list[tuple[str, ...]] = []
    subject._orders = replace(subject._orders, apply=lambda timetable: known.append(told.fence._rivals))
    standby.note(OTHER, datetime.now(UTC), datetime.now(UTC))
    subject._become_runner()
    subject._start()
    assert known == [("elsewhere process 4711",)]


def test_a_heartbeat_carries_the_turn_of_the_loop(serving, told, now):
    told.turn = (now, time.monotonic())
    serving._turn()
    assert lease.holder().loop_at == now


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved on."""
    now = [time.monotonic()]
    monkeypatch.setattr(control.time, "monotonic", lambda: now[0])
    return now


def minute(serving, clock, monkeypatch) -> list[str]:
    """Let a minute pass turn by turn, as the thread itself does, and give the statements it took."""
    pauses: list[float] = []
    monkeypatch.setattr(serving, "_pause", pauses.append)
    end = clock[0] + 60
    with CaptureQueriesContext(database) as captured:
        while clock[0] < end:
            serving._turn()
            serving._pause(min(serving._listener.pause, serving._beat_pause()))
            clock[0] += pauses.pop() + 0.01
    return [query["sql"] for query in captured.captured_queries]


def test_an_idle_minute_costs_a_heartbeat_now_and_then(serving, clock, monkeypatch):
    serving._turn()
    statements = minute(serving, clock, monkeypatch)
    beats = [text for text in statements if text.startswith("UPDATE")]
    assert len(beats) == 5
    assert all("heartbeat_at" in text for text in beats)
    looks = [text for text in statements if text.startswith("SELECT") and "scheduler_bridge_standby" in text]
    assert len(looks) == len(beats)
    reads = [text for text in statements if text.startswith("SELECT") and text not in looks]
    assert len(reads) == (0 if database.vendor == "postgresql" else pytest.approx(60 / POLL, abs=3))
    assert len(statements) == len(beats) + len(looks) + len(reads)


def test_a_busy_runner_beats_more_often_than_a_standby_waits(serving, told, clock, monkeypatch):
    told.busy = True
    serving._turn()
    beats = [text for text in minute(serving, clock, monkeypatch) if text.startswith("UPDATE")]
    assert len(beats) >= 60 // lease.BEAT_BUSY - 1


def test_a_standby_waits_longer_than_the_longest_silence_and_takes_over_within_fifteen_seconds():
    assert lease.EXPIRES_AFTER - lease.BEAT_IDLE >= 2
    assert lease.EXPIRES_AFTER + control.RETRY_PAUSE < 15


def test_a_standby_looks_as_the_lease_expires_not_a_pause_later(subject, clock, monkeypatch):
    lease.acquire(OTHER, None, datetime.now(UTC))
    monkeypatch.setattr(subject, "_pause", lambda seconds: clock.append(clock.pop() + seconds + 0.01))
    first_seen = clock[0]
    assert subject._become_runner()
    assert clock[0] - first_seen == pytest.approx(lease.EXPIRES_AFTER, abs=0.1)


def test_a_change_that_no_notification_told_of_is_seen_with_the_next_heartbeat(serving, told, clock):
    serving._turn()
    Runner.objects.update(revision=F("revision") + 1)
    clock[0] += lease.BEAT_IDLE
    serving._turn()
    assert len(told.timetables) == 2


def test_a_lost_lease_ends_the_thread(serving):
    Runner.objects.update(token="other")
    with pytest.raises(LeaseLost):
        serving._turn()


def test_nothing_is_read_anew_while_nothing_changes(serving, told):
    serving._turn()
    serving._turn()
    assert len(told.timetables) == 1


@pytest.mark.parametrize("change", ["save", "signal", "age"])
def test_a_change_is_read_at_the_next_turn(serving, told, change):
    serving._turn()
    if change == "save":
        Job.objects.get(name="tests.demo.specimen").save()
        serving._listener._polled_at = float("-inf")
    elif change == "signal":
        serving.reload()
    else:
        serving._loaded_at -= control.REFRESH_EVERY
    serving._turn()
    assert len(told.timetables) == 2


def test_a_step_of_the_clock_times_everything_again_once(serving, told):
    serving.reload(again=True)
    serving._turn()
    serving.reload()
    serving._turn()
    assert [timetable.again for timetable in told.timetables] == [False, True, False]


def test_newer_code_is_heard_of(serving, told):
    Runner.objects.update(code="newer")
    serving._listener._polled_at = float("-inf")
    serving._listener._seen = None
    serving._turn()
    assert told.outdated == 1


def test_a_migrate_of_the_same_code_lets_the_launcher_load_the_project_anew_once(serving, told, now):
    serving._turn()
    receivers.follow_code(plan=[("0001", False)], verbosity=0)
    for _ in range(2):
        serving._listener._polled_at = float("-inf")
        serving._turn()
    assert (told.renewed, told.outdated) == ([True], 0)


def test_a_change_in_the_web_does_not(serving, told):
    serving._turn()
    Job.objects.get(name="tests.demo.specimen").save()
    serving._listener._polled_at = float("-inf")
    serving._turn()
    assert len(told.timetables) == 2
    assert told.renewed == []


def test_a_loop_that_stands_still_is_an_error(subject, told, now):
    subject._check_loop()
    told.turn = (now, time.monotonic())
    subject._check_loop()
    told.turn = (now, time.monotonic() - STALLED_AFTER - 1)
    with pytest.raises(RuntimeError, match="the loop has not turned since 2026-03-10 12:00:00 UTC"):
        subject._check_loop()


def test_a_pause_is_a_sign_of_life_and_ends_when_woken(subject, monkeypatch):
    signs: list[str] = []
    monkeypatch.setattr(systemd, "notify", lambda *lines: signs.extend(lines))
    subject.reload()
    subject.reload()
    begun = time.monotonic()
    subject._pause(60)
    assert time.monotonic() - begun < 30
    assert signs == ["WATCHDOG=1"]


@pytest.mark.parametrize(("seconds", "signs"), [(0, ["WATCHDOG=1"]), (29, ["WATCHDOG=1"]), (31, [])])
def test_the_watchdog_is_fed_only_while_the_loop_turns(subject, told, now, clock, monkeypatch, seconds, signs):
    heard: list[str] = []
    monkeypatch.setattr(systemd, "notify", lambda *lines: heard.extend(lines))
    told.turn = (now, clock[0] - seconds)
    subject.reload()
    subject._pause(60)
    assert heard == signs


def test_a_lease_that_cannot_be_given_back_is_no_failure(subject, monkeypatch, caplog):
    def fail(me: Identity) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(lease, "release", fail)
        subject._leave()
    assert "the lease was not given back: gone" in caplog.text


def test_one_who_waits_can_be_seen_and_one_who_has_won_no_more(subject, monkeypatch):
    lease.acquire(OTHER, None, datetime.now(UTC))
    seen: list[int] = []

    def pause(seconds: float) -> None:
        seen.extend(found.pid for found in standby.seen(datetime.now(UTC)))
        lease.release(OTHER)

    monkeypatch.setattr(subject, "_pause", pause)
    assert subject._become_runner()
    assert (seen, standby.seen(datetime.now(UTC))) == ([subject.me.pid], ())


def test_what_was_changed_for_a_time_returns_when_that_is_over(serving, told, monkeypatch):
    soon = datetime.now(UTC) + timedelta(minutes=5)
    Job.objects.filter(name="tests.demo.specimen").update(enabled=False, disabled_until=soon)
    api.hold("stocktaking", until=soon)
    serving._listener._polled_at = float("-inf")
    serving._turn()
    assert 0 < serving._end_pause() <= 300
    monkeypatch.setattr(control, "_now", lambda: soon)
    serving._turn()
    assert Job.objects.get(name="tests.demo.specimen").enabled
    assert [timetable.held for timetable in told.timetables[-2:]] == [True, False]
    assert serving._end_pause() == float("inf")


def test_what_ended_while_nobody_was_the_runner_returns_at_the_start(subject, told):
    past = datetime.now(UTC) - timedelta(minutes=1)
    Runner.objects.update(held=True, held_until=past)
    assert subject._become_runner()
    assert subject._start()
    assert not told.timetables[0].held


def test_the_process_is_told_which_runs_are_to_end(serving, told, job, now):
    run = Run.objects.create(job=job, status=Status.RUNNING, scheduled_for=now, started_at=now)
    api.cancel(run.pk, by="alice")
    serving._listener._polled_at = float("-inf")
    serving._turn()
    assert told.timetables[-1].to_end == {run.pk: "alice"}


def test_what_was_handed_over_and_has_ended_is_told_of_once(serving, told, tasks):
    job = Job.objects.get(name="tests.demo.specimen")
    run = Run.objects.create(
        job=job, status=Status.SUCCEEDED, cause="manual", scheduled_for=datetime.now(UTC), queue="reports"
    )
    Run.objects.filter(pk=run.pk).update(hand_at=datetime.now(UTC))
    serving._turn()
    assert [away.run_id for news in told.news for away, _completion in news.ended] == [run.pk]
    Runner.objects.update(revision=99)
    serving._look_away(0.0)
    assert len(told.news) == 1


def test_without_an_engine_nothing_is_looked_at(serving, told, django_assert_num_queries):
    serving._look_away(0.0)
    with django_assert_num_queries(0):
        serving._look_away(0.0)
    assert (told.news, serving._away.pause(0.0)) == ([], float("inf"))


def test_while_runs_of_workers_end_one_after_the_other_the_jobs_are_read_now_and_then(clock, serving, told, tasks):
    job = Job.objects.get(name="tests.demo.specimen")
    serving._turn()
    planned = []
    for seconds in (0, control.JOBS_REST / 2, control.JOBS_REST, 0):
        Job.objects.filter(pk=job.pk).update(override_interval=timedelta(hours=1 + len(planned)))
        ended = Run.objects.create(job=job, status=Status.SUCCEEDED, cause="manual", scheduled_for=datetime.now(UTC))
        Run.objects.filter(pk=ended.pk).update(queue="reports", hand_at=AT_ONCE)
        Runner.objects.update(revision=F("revision") + 1)
        serving._listener._polled_at = float("-inf")
        clock[0] += seconds
        serving._turn()
        planned.append(bool(told.timetables[-1].planned))
    assert planned == [False, False, True, False]
    assert serving._next_turn() <= control.JOBS_REST + 1e-6
    clock[0] += control.JOBS_REST
    serving._turn()
    assert told.timetables[-1].planned
