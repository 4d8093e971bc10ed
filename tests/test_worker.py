"""The executor and the loop, without a database: what is executed is a list of firings."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.interval import IntervalTrigger

from scheduler_bridge import scheduler
from scheduler_bridge.gate import Held
from scheduler_bridge.handing import HandOver, Told
from scheduler_bridge.history import Away, Firing, Queued
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Status
from scheduler_bridge.registry import Planned
from scheduler_bridge.run import Completion
from scheduler_bridge.scheduler import Scheduler
from scheduler_bridge.triggers import Overdue
from scheduler_bridge.worker import OneWorker

FAR = timedelta(days=1)


def handing() -> HandOver:
    return HandOver(Identity.mine(), Told(local=print, look=print, put_off=print, failed=print))


class Stage:
    """A scheduler in a thread of its own, whose jobs are executed as the test says."""

    def __init__(self) -> None:
        self.executed: list[Firing] = []
        self.executing = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.chains: dict[str, tuple[Queued, ...]] = {}
        self.held: list[str] = []
        self.nothing: list[str] = []
        self.failures: list[BaseException] = []
        self.worker = OneWorker(self.execute, self.failures.append)
        self.scheduler = Scheduler(self.worker, handing(), lambda scheduler, now: None, print)
        self.thread = threading.Thread(target=self.scheduler.start)

    def execute(self, firing: Firing) -> Completion | None:
        if firing.name in self.held:
            self.held.remove(firing.name)
            self.executing.release()
            raise Held
        self.executed.append(firing)
        self.executing.release()
        assert self.go_on.acquire(timeout=10)
        chained = self.chains.pop(firing.name, ())
        if firing.name in self.nothing:
            self.nothing.remove(firing.name)
            return None
        return Completion(name=firing.name, status=Status.SUCCEEDED, chained=chained)

    def apply(self, *planned: Planned, queued=(), held=False, again=False) -> None:
        done = threading.Event()

        def wish(scheduler: Scheduler) -> None:
            scheduler.apply(planned, queued, held, again=again)

        self.scheduler.wish(wish)
        self.scheduler.wish(lambda scheduler: done.set())
        assert done.wait(10)

    def begun(self) -> str:
        """Wait until the next job is executed, and name it."""
        assert self.executing.acquire(timeout=10)
        return self.executed[-1].name

    def ended(self) -> None:
        self.go_on.release()

    def turn(self) -> None:
        """Wait until the loop has turned."""
        done = threading.Event()
        for _ in range(2):
            self.scheduler.wish(lambda scheduler: done.set())
            assert done.wait(10)
            done.clear()


@pytest.fixture
def stage():
    stage = Stage()
    stage.thread.start()
    yield stage
    stage.scheduler.end()
    stage.worker.close()
    for _ in range(20):
        stage.go_on.release()
    stage.thread.join(10)
    assert stage.worker.join(10)
    assert stage.failures == []


def due(name: str, ago: float = 0, *, coalesced: int = 0, every: timedelta = FAR, key: str = "k") -> Planned:
    latest = datetime.now(UTC) - timedelta(seconds=ago)
    trigger = IntervalTrigger(seconds=every.total_seconds(), start_date=latest, timezone=UTC)
    found = Overdue(latest=latest, coalesced=coalesced)
    return Planned(job_id=1, name=name, key=key, trigger=trigger, next_run_at=latest + every, due=found)


def queued(run_id: int, name: str, cause: Cause = Cause.MANUAL) -> Queued:
    return Queued(run_id=run_id, job_id=run_id, name=name, cause=cause, scheduled_for=datetime.now(UTC))


def test_one_job_runs_at_a_time_in_the_order_they_were_due(stage):
    stage.apply(due("second", 1), due("first", 2))
    assert stage.begun() == "first"
    stage.turn()
    assert len(stage.executed) == 1
    stage.ended()
    assert stage.begun() == "second"


def test_what_was_missed_is_counted_in_the_one_late_run(stage):
    stage.apply(due("job", 5, coalesced=7))
    stage.begun()
    assert stage.executed[0].coalesced == 7


def test_a_job_that_waits_folds_its_further_fire_times(stage):
    stage.apply(due("long", 9), held=False)
    assert stage.begun() == "long"
    stage.apply(due("long", 9), due("short", 0.5, every=timedelta(seconds=0.1)))
    while not stage.worker.knows("short"):
        stage.turn()
    while stage.worker._waiting["short"].coalesced < 6:
        stage.turn()
    stage.ended()
    assert stage.begun() == "short"
    assert stage.executed[-1].coalesced >= 6
    assert sum(firing.name == "short" for firing in stage.executed) == 1


@pytest.fixture
def early(monkeypatch):
    """Let the worker begin so early that a slow machine does not blur it."""
    monkeypatch.setattr(scheduler, "EARLY", timedelta(seconds=0.8))


def soon(name: str, *, coalesced: int = 0) -> Planned:
    # A slow machine has as long to hand it to the loop as the worker has to begin it.
    at = datetime.now(UTC) + timedelta(seconds=1.6)
    trigger = IntervalTrigger(days=1, start_date=at, timezone=UTC)
    found = Overdue(latest=at, coalesced=coalesced) if coalesced else None
    return Planned(job_id=1, name=name, key="k", trigger=trigger, next_run_at=at, due=found)


def test_an_idle_worker_begins_a_moment_before_the_fire_time_and_once(stage, early):
    item = soon("job")
    stage.apply(item)
    stage.begun()
    begun = datetime.now(UTC)
    stage.ended()
    while datetime.now(UTC) < item.next_run_at + timedelta(milliseconds=20):
        stage.turn()
    assert begun < item.next_run_at
    assert [(firing.fire_time, firing.coalesced) for firing in stage.executed] == [(item.next_run_at, 0)]


def test_what_was_missed_before_is_counted_once_though_the_worker_begins_early(stage, early):
    item = soon("job", coalesced=3)
    stage.apply(item)
    stage.begun()
    stage.ended()
    while datetime.now(UTC) < item.next_run_at + timedelta(milliseconds=20):
        stage.turn()
    assert sum(firing.coalesced for firing in stage.executed) == 3


def test_a_worker_that_is_busy_or_held_begins_nothing_early(stage, early):
    stage.apply(due("busy", 9), soon("late"))
    assert stage.begun() == "busy"
    while not stage.worker.knows("late"):
        stage.turn()
    assert datetime.now(UTC) >= stage.worker._waiting["late"].fire_time
    stage.apply(due("busy", 9), soon("held"), held=True)
    while not stage.worker.knows("held"):
        stage.turn()
    assert datetime.now(UTC) >= stage.worker._waiting["held"].fire_time


def test_what_a_hold_put_back_is_not_handed_over_twice(stage, early):
    stage.held.append("job")
    item = soon("job")
    stage.apply(item)
    assert stage.executing.acquire(timeout=10)
    while not stage.worker.is_held or datetime.now(UTC) < item.next_run_at + timedelta(milliseconds=20):
        stage.turn()
    stage.apply(item)
    assert stage.begun() == "job"
    assert (stage.executed[0].coalesced, len(stage.executed)) == (0, 1)


def test_a_chained_run_goes_ahead_of_everything_that_waits(stage):
    stage.apply(due("parent", 9))
    stage.begun()
    stage.chains["parent"] = (queued(7, "child", Cause.CHAIN),)
    stage.apply(due("parent", 9), due("waiting", 5), queued=[queued(8, "by hand")])
    stage.turn()
    for name in ("child", "by hand", "waiting"):
        stage.ended()
        assert stage.begun() == name


def test_a_queued_run_is_taken_up_once(stage):
    item = queued(7, "by hand")
    for _ in range(3):
        stage.apply(queued=[item])
    stage.begun()
    stage.apply(queued=[item])
    stage.ended()
    stage.turn()
    assert [firing.run_id for firing in stage.executed] == [7]


def test_a_reload_leaves_what_did_not_change_alone(stage):
    stage.apply(due("job", 5, coalesced=3))
    stage.begun()
    stage.ended()
    stage.turn()
    before = stage.scheduler.get_job("job").next_run_time
    stage.apply(due("job", 0))
    stage.turn()
    assert stage.scheduler.get_job("job").next_run_time == before
    assert len(stage.executed) == 1


def test_a_job_with_another_key_is_timed_anew_and_one_that_is_gone_taken_out(stage):
    stage.apply(due("a", 5), due("b", 4))
    for _ in range(2):
        stage.begun()
        stage.ended()
    later = datetime.now(UTC) + timedelta(hours=3)
    trigger = IntervalTrigger(hours=3, start_date=later, timezone=UTC)
    stage.apply(Planned(job_id=1, name="a", key="other", trigger=trigger, next_run_at=later, due=None))
    assert [(job.id, job.next_run_time) for job in stage.scheduler.get_jobs()] == [("a", later)]


def test_on_hold_nothing_starts_and_everything_is_kept(stage):
    stage.apply(due("job", 5), held=True)
    stage.turn()
    assert stage.executed == []
    stage.apply(due("job", 5), held=False)
    assert stage.begun() == "job"


def test_a_firing_that_meets_a_hold_at_the_gate_is_put_back(stage):
    stage.held.append("job")
    stage.apply(due("job", 5, coalesced=2))
    assert stage.executing.acquire(timeout=10)
    while not stage.worker.is_held:
        stage.turn()
    stage.apply(due("job", 5, coalesced=2), held=False)
    assert stage.begun() == "job"
    assert stage.executed[0].coalesced == 2


def test_between_two_runs_the_worker_does_what_it_is_asked_and_on_hold_too(stage):
    steps: list[str] = []
    done = threading.Event()
    stage.apply(due("job", 5))
    assert stage.begun() == "job"
    stage.worker.between(lambda: steps.append("first"))
    assert steps == []
    stage.worker.between(done.set)  # in the place of the first
    stage.ended()
    assert done.wait(10)
    assert steps == []
    stage.apply(due("job", 5), held=True)
    done.clear()
    stage.worker.between(done.set)
    assert done.wait(10)


def test_an_ended_loop_eats_no_fire_time(stage):
    stage.apply(due("long", 5))
    stage.begun()
    stage.scheduler.end()
    stage.thread.join(10)
    later = due("late", 1)
    stage.scheduler.wish(lambda scheduler: scheduler.apply([later], (), False))
    assert stage.scheduler._process_jobs() is None
    assert stage.scheduler.get_job("late") is None


def test_a_stop_in_the_middle_of_a_chain_ends_and_starts_nothing_more(stage):
    stage.apply(due("parent", 5))
    stage.begun()
    stage.chains["parent"] = (queued(7, "child", Cause.CHAIN),)
    stage.scheduler.end()
    stage.worker.close()
    stage.ended()
    assert stage.worker.join(10)
    assert [firing.name for firing in stage.executed] == ["parent"]


def test_an_error_in_the_worker_is_handed_on():
    failures, done = [], threading.Event()

    def execute(firing):
        raise RuntimeError("lost")

    def failed(error):
        failures.append(error)
        done.set()

    worker = OneWorker(execute, failed)
    scheduler = Scheduler(worker, handing(), lambda scheduler, now: None, print)
    thread = threading.Thread(target=scheduler.start)
    thread.start()
    scheduler.wish(lambda given: given.apply([due("job", 5)], (), False))
    assert done.wait(10)
    scheduler.end()
    thread.join(10)
    assert str(failures[0]) == "lost"


def test_a_job_with_a_queue_goes_to_the_executor_that_hands_over_and_the_worker_stays_free(stage):
    handed = threading.Event()
    stage.scheduler.handing.put = lambda job_id, firing: handed.set()
    stage.apply(replace(due("report", 5), queue="reports"), queued=(replace(queued(7, "asked"), queue="reports"),))
    assert handed.wait(10)
    assert stage.worker.is_idle
    assert stage.scheduler.is_handed_over("report")
    assert stage.scheduler.is_handed_over("no such job")


def test_a_job_that_has_no_queue_any_more_goes_to_the_worker(stage):
    stage.apply(replace(due("report", 5), queue="reports", key="1 reports", due=None))
    stage.apply(replace(due("report", 5), key="1"))
    assert stage.begun() == "report"
    assert not stage.scheduler.is_handed_over("report")
    stage.ended()


def test_the_listeners_hear_of_a_run_that_was_ended_elsewhere(stage):
    away = Away(
        run_id=7,
        job_id=1,
        name="report",
        cause=Cause.MANUAL,
        fire_time=datetime.now(UTC),
        status=Status.SUCCEEDED,
        reason="",
        queue="reports",
        tries=1,
        owes_mail=False,
    )
    completion = Completion(
        name="report", status=Status.SUCCEEDED, run_id=7, chained=(queued(8, "after", Cause.CHAIN),)
    )
    stage.scheduler.wish(lambda scheduler: scheduler.tell_of(away, completion))
    assert stage.begun() == "after"
    stage.ended()


def test_what_came_to_nothing_as_it_was_begun_early_is_taken_when_it_is_handed_over(stage, early):
    """Its schedule was changed between gate and claim, say: what that owes is due at the same moment."""
    stage.nothing.append("job")
    stage.apply(soon("job"))
    assert stage.begun() == "job"
    stage.ended()
    assert stage.begun() == "job"
    stage.ended()


def test_what_comes_to_nothing_after_the_loop_has_handed_it_over_is_taken_once_more(stage, early):
    """The owed fire time of a changed schedule looks like the one that was begun early: it must not be lost with it."""
    stage.nothing.append("job")
    stage.apply(soon("job"))
    assert stage.begun() == "job"
    while not stage.worker._is_handed:
        stage.turn()
    stage.ended()
    assert stage.begun() == "job"
    stage.ended()
    while not stage.worker.is_idle:
        stage.turn()
    assert [firing.fire_time for firing in stage.executed] == [stage.executed[0].fire_time] * 2
