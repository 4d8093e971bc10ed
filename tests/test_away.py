from datetime import timedelta

import pytest

from scheduler_bridge import away, history, identity
from scheduler_bridge.away import LOOK_EVERY, SILENT_FOR, Watch
from scheduler_bridge.execution import child_process
from scheduler_bridge.execution.outcome import Outcome
from scheduler_bridge.history import Firing
from scheduler_bridge.history.take_up import AT_ONCE
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Job, Report, Run, Status

MINUTE = timedelta(minutes=1)


@pytest.fixture
def running(me, job, now):
    """A run that a worker has taken up."""
    firing = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + MINUTE)
    waiting = history.waiting(history.hand_over(firing, me, "reports", now, None))
    return history.take_up(waiting, None, Identity.mine(), now, None)


@pytest.fixture
def swept(monkeypatch):
    markers = []

    def sweep(given):
        markers.extend(given)
        return ("sleep 100 (12)",)

    monkeypatch.setattr(child_process, "sweep", sweep)
    monkeypatch.setattr(identity, "known", lambda: "this-one")
    return markers


def look(watch, now, seconds):
    return watch.look(now, seconds)


def test_without_an_engine_and_without_such_runs_there_is_nothing_to_look_at(me):
    watch = Watch(me)
    assert not watch.is_needed
    assert watch.pause(0.0) == float("inf")


def test_what_was_handed_over_is_looked_at_though_there_is_no_engine_any_more(running, me):
    assert Watch(me).is_needed


def test_with_an_engine_it_looks_every_five_seconds(me, tasks, now):
    watch = Watch(me)
    assert watch.is_needed
    assert watch.pause(100.0) == 0
    look(watch, now, 100.0)
    assert watch.pause(101.0) == LOOK_EVERY - 1


def test_a_run_without_a_further_sign_is_given_up_and_reported_and_its_processes_are_ended(running, me, now, swept):
    watch = Watch(me)
    look(watch, now, 100.0)
    look(watch, now, 100.0 + SILENT_FOR - 1)
    assert Run.objects.get().status == Status.RUNNING
    news = look(watch, now + MINUTE, 100.0 + SILENT_FOR + LOOK_EVERY)
    stored = Run.objects.get()
    assert (stored.status, stored.report) == (Status.ABANDONED, Report.DUE)
    assert stored.reason == f"its worker on {running.host} gives no sign of life"
    assert (swept, stored.warning) == ([f"{running.marker}#this-one"], "sleep 100 (12)")
    (ended, completion), *_ = news.ended
    assert (ended.run_id, completion.status, completion.owes_mail) == (stored.pk, Status.ABANDONED, True)
    assert not history.is_busy(stored.job_id)


def test_a_run_that_gives_signs_goes_on(running, me, now):
    watch = Watch(me)
    for seconds in range(0, 200, 20):
        look(watch, now, float(seconds))
        history.beat(running, now + timedelta(seconds=seconds))
    assert Run.objects.get().status == Status.RUNNING


def test_clocks_of_two_hosts_are_not_compared(running, me, now):
    watch = Watch(me)
    history.beat(running, now - timedelta(days=1))
    look(watch, now, 100.0)
    look(watch, now, 100.0 + SILENT_FOR - 1)
    assert Run.objects.get().status == Status.RUNNING


def test_while_the_database_was_away_no_sign_could_be_given(running, me, now):
    watch = Watch(me)
    look(watch, now, 100.0)
    watch.forget()
    look(watch, now, 200.0)
    assert Run.objects.get().status == Status.RUNNING


def test_a_sign_in_the_last_moment_saves_the_run(running, me, now, monkeypatch):
    watch = Watch(me)
    look(watch, now, 100.0)
    real = history.lost

    def lost(sign):
        history.beat(running, now + MINUTE)
        return real(sign)

    monkeypatch.setattr(history, "lost", lost)
    look(watch, now, 200.0)
    assert Run.objects.get().status == Status.RUNNING


def test_an_end_comes_with_what_follows_it(running, me, now, job):
    good = Outcome(status=Status.SUCCEEDED, exit_code=0, output="")
    history.close(running, good, now, next_jobs=(job.name,), mail=False)
    news = look(Watch(me), now, 100.0)
    ((ended, completion),) = news.ended
    assert (ended.cause, completion.name, [item.cause for item in completion.chained]) == (
        Cause.SCHEDULE,
        job.name,
        [Cause.CHAIN],
    )


def test_no_news_is_no_news(me, now):
    assert not look(Watch(me), now, 100.0)
    assert not away.News()


def test_a_run_that_nobody_took_up_is_news(me, job, now):
    firing = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + MINUTE)
    run_id = history.hand_over(firing, me, "reports", now, None)
    news = look(Watch(me), now, 100.0)
    assert [item.run_id for item in news.again] == [run_id]
    assert news


@pytest.fixture
def behind(running, me, now):
    """A run that waits behind the one that is performed, and is due to be handed over again."""
    job = Job.objects.create(name="demo.other", app="demo", command="other", created_at=now, owed_since=now)
    firing = Firing(job_id=job.pk, name=job.name, cause=Cause.SCHEDULE, fire_time=now + MINUTE)
    return history.hand_over(firing, me, "reports", now, None)


def to_come(watch, now, seconds):
    return {run.run_id for run in look(watch, now, seconds).again if run.to_come}


def test_workers_are_about_to_come_to_a_run_that_waits_behind_the_one_they_perform(behind, me, now):
    assert to_come(Watch(me), now, 100.0) == {behind}


@pytest.mark.parametrize("change", [{"queue": "mail"}, {"hand_at": AT_ONCE}], ids=["nobody serves it", "asked for"])
def test_they_are_not_when_nobody_serves_its_queue_or_somebody_wants_it_to_be_looked_at(behind, me, now, change):
    Run.objects.filter(pk=behind).update(**change)
    assert to_come(Watch(me), now, 100.0) == set()


def test_they_are_not_when_they_have_done_nothing_for_a_minute(behind, running, me, now):
    watch = Watch(me)
    for seconds in (100.0, 120.0, 140.0):
        history.beat(running, now + timedelta(seconds=seconds))
        assert to_come(watch, now, seconds) == {behind}
    assert to_come(watch, now + MINUTE, 161.0) == set()


@pytest.mark.parametrize(
    ("status", "is_seen"), [("abandoned", False), ("cancelled", False), ("failed", True), ("skipped", True)]
)
def test_a_run_that_no_worker_ended_says_nothing_of_them(behind, running, me, now, status, is_seen):
    Run.objects.filter(pk=running.pk).update(status=status, hand_at=AT_ONCE)
    assert to_come(Watch(me), now, 100.0) == ({behind} if is_seen else set())


def test_they_are_not_when_they_have_passed_it(behind, running, me, now):
    watch = Watch(me)
    watch._served.saw("reports", behind + 1, 100.0)
    assert to_come(watch, now, 100.0) == set()


def test_at_the_end_of_another_run_what_waits_is_not_looked_at(behind, running, me, now):
    watch = Watch(me)
    look(watch, now, 100.0)
    Run.objects.filter(pk=running.pk).update(status=Status.SUCCEEDED, hand_at=AT_ONCE)
    news = look(watch, now, 101.0)
    assert ([run.run_id for run, _completion in news.ended], news.again) == ([running.pk], ())
    assert [run.run_id for run in look(watch, now, 100.0 + LOOK_EVERY).again] == [behind]
