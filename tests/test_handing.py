import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from apscheduler.job import Job as ScheduledJob
from apscheduler.schedulers.blocking import BlockingScheduler
from django.db import OperationalError

from scheduler_bridge import handing, history
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.gate import Admitted, Held
from scheduler_bridge.handing import AGAIN, AGAIN_AFTER_REFUSAL, LONGEST_PAUSE, HandOver, Told
from scheduler_bridge.history import Away, Firing
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Job, Run, Runner, Status
from scheduler_bridge.registry import plan_of

SECOND = timedelta(seconds=1)


class Outside:
    """What the executor tells the process."""

    def __init__(self) -> None:
        self.local = []
        self.looks = 0
        self.failures = []
        self.given_up = []

    def told(self) -> Told:
        return Told(local=self.local.append, look=self.look, put_off=self.put_off, failed=self.failures.append)

    def look(self) -> None:
        self.looks += 1

    def put_off(self, name, fire_time, error) -> None:
        self.given_up.append((name, fire_time, error))


@pytest.fixture
def outside():
    return Outside()


@pytest.fixture
def desk(me, outside, tasks):
    return HandOver(me, outside.told())


@pytest.fixture
def row(job, tasks, monkeypatch, now):
    """A job whose runs go to a queue."""
    Job.objects.filter(pk=job.pk).update(override_queue="reports")
    job.refresh_from_db()
    monkeypatch.setattr("scheduler_bridge.handing.registry.queue_of", lambda found: found.override_queue or "")
    return job


@pytest.fixture
def firing(row, now):
    return Firing(job_id=row.pk, name=row.name, cause=Cause.SCHEDULE, fire_time=now + SECOND)


def step(desk):
    """Do what the executor would do next."""
    desk._next()()
    desk._at_work = False


def step_while_waiting(desk):
    while desk._waiting:
        step(desk)


def away(run: Run, tries: int | None = None) -> Away:
    return Away(
        run_id=run.pk,
        job_id=run.job_id,
        name=run.job.name,
        cause=Cause(run.cause),
        fire_time=run.scheduled_for,
        status=Status(run.status),
        reason="",
        queue=run.queue,
        tries=run.hand_tries if tries is None else tries,
        owes_mail=False,
        handed_at=run.handed_at,
    )


def test_a_firing_becomes_a_recorded_run_and_then_a_message(desk, firing, tasks):
    desk.put(firing.name, firing)
    assert not desk.is_idle
    step(desk)
    run = Run.objects.get()
    assert (run.status, run.queue, run.hand_tries, tasks.taken) == ("queued", "reports", 1, [("reports", run.pk)])
    assert desk.is_idle


def test_while_the_engine_is_down_the_run_is_recorded_and_tried_again_with_growing_pauses(desk, firing, tasks, caplog):
    tasks.is_down = True
    desk.put(firing.name, firing)
    step(desk)
    pauses = []
    for tries in range(1, 7):
        run = Run.objects.get()
        desk.again([away(run, tries)])
        before = handing.datetime.now(handing.UTC)
        step(desk)
        pauses.append((Run.objects.get().hand_at - before) // AGAIN_AFTER_REFUSAL)
    assert pauses == [2, 4, 8, 12, 12, 12]
    assert [record.levelname for record in caplog.records if "tried again" in record.message] == ["ERROR"]
    tasks.is_down = False
    desk.again([away(Run.objects.get())])
    step(desk)
    assert tasks.taken == [("reports", run.pk)]


def test_a_run_that_no_worker_takes_up_is_handed_over_ever_more_seldom(desk, firing, tasks):
    desk.put(firing.name, firing)
    step(desk)
    pauses = []
    for tries in (1, 2, 3, 9, 50):
        before = handing.datetime.now(handing.UTC)
        desk.again([away(Run.objects.get(), tries)])
        step(desk)
        pauses.append(round((Run.objects.get().hand_at - before) / AGAIN))
    assert pauses == [2, 4, 8, LONGEST_PAUSE // AGAIN, LONGEST_PAUSE // AGAIN]


def test_what_was_read_before_a_run_was_handed_over_costs_one_look_at_the_job(
    desk, firing, row, tasks, django_assert_num_queries
):
    asked = history.enqueue(row, firing.fire_time, requested_by="", delay=0 * SECOND, forced=False)
    for _ in range(2):  # the control thread has read it twice before the first hand-over
        desk.put(f"run:{asked.pk}", replace(firing, run_id=asked.pk, cause=Cause.MANUAL))
        if not tasks.taken:
            step(desk)
    with django_assert_num_queries(1):
        step(desk)
        desk.again([away(asked)])
        step(desk)
    assert tasks.taken == [("reports", asked.pk)]
    desk.again([away(Run.objects.get())])
    step(desk)
    assert len(tasks.taken) == 2


def test_a_run_that_workers_are_about_to_come_to_gets_no_second_message(desk, firing, tasks):
    desk.put(firing.name, firing)
    step(desk)
    assert postponed(desk, timedelta(0)) == 1
    assert postponed(desk, 7 * AGAIN) == 7
    assert postponed(desk, timedelta(days=3)) == LONGEST_PAUSE / AGAIN
    assert (len(tasks.taken), Run.objects.get().hand_tries) == (1, 1)


def postponed(desk, waited):
    """Look at a run that has waited for so long; give in how many pauses it is looked at again."""
    run, now = Run.objects.get(), handing.datetime.now(handing.UTC)
    desk.again([replace(away(run), to_come=True, handed_at=now - waited)])
    step(desk)
    return round((Run.objects.get().hand_at - now) / AGAIN)


def test_one_that_the_engine_refused_does_get_it(desk, firing, tasks):
    tasks.is_down = True
    desk.put(firing.name, firing)
    step(desk)
    tasks.is_down = False
    desk.again([replace(away(Run.objects.get()), to_come=True)])
    step(desk)
    assert len(tasks.taken) == 1


def test_a_run_that_was_kept_is_handed_over_when_its_job_has_a_queue_again(desk, firing, row, tasks, outside):
    asked = history.enqueue(row, firing.fire_time, requested_by="", delay=0 * SECOND, forced=False)
    for queue in ("reports", "", "reports"):
        Job.objects.filter(pk=row.pk).update(override_queue=queue)
        if queue:
            desk.put(f"run:{asked.pk}", replace(firing, run_id=asked.pk, cause=Cause.MANUAL))
        else:
            desk.again([away(Run.objects.get())])
        step(desk)
    assert [queued.run_id for queued in outside.local] == [asked.pk]
    assert tasks.taken == [("reports", asked.pk)] * 2


def test_a_job_whose_run_is_away_waits_for_the_end_of_it_and_counts_what_falls_due(desk, firing, tasks):
    desk.put(firing.name, firing)
    step(desk)
    for seconds in (2, 3):
        desk.put(firing.name, replace(firing, fire_time=firing.fire_time + seconds * SECOND))
        step(desk)
    assert (len(tasks.taken), desk.knows(firing.name), desk.is_idle) == (1, True, True)
    run = Run.objects.get()
    Job.objects.update(handed_run_id=None)
    Run.objects.update(status=Status.SUCCEEDED)
    desk.free(run.job_id)
    step(desk)
    later = Run.objects.get(status=Status.QUEUED)
    assert later.scheduled_for == firing.fire_time + 3 * SECOND
    assert not desk.knows(firing.name)


def test_one_whose_fire_time_is_accounted_for_waits_for_nothing(desk, firing):
    desk.put(firing.name, firing)
    step(desk)
    Job.objects.update(handed_run_id=None)
    Run.objects.update(status=Status.SUCCEEDED)
    desk.put(firing.name, firing)
    step(desk)
    assert not desk.knows(firing.name)


def test_a_disabled_job_is_skipped_and_nothing_is_handed_over(desk, firing, tasks):
    Job.objects.update(enabled=False)
    desk.put(firing.name, firing)
    step(desk)
    run = Run.objects.get()
    assert (run.status, run.reason, tasks.taken) == (Status.SKIPPED, "the job is disabled", [])


def test_on_hold_nothing_is_handed_over_and_nothing_lost(desk, firing, tasks, outside):
    Runner.objects.update(held=True)
    desk.put(firing.name, firing)
    step(desk)
    assert (tasks.taken, outside.looks, desk.is_idle, desk.knows(firing.name)) == ([], 1, True, True)
    Runner.objects.update(held=False)
    desk.hold(False)
    step(desk)
    assert len(tasks.taken) == 1


def test_a_job_that_is_gone_is_dropped(desk, firing):
    Job.objects.filter(pk=firing.job_id).delete()
    desk.put(firing.name, firing)
    step(desk)
    assert not desk.knows(firing.name)


def test_a_scheduled_job_without_a_queue_any_more_is_timed_anew(desk, firing, row, outside):
    Job.objects.filter(pk=row.pk).update(override_queue="")
    desk.put(firing.name, firing)
    step(desk)
    assert (outside.looks, Run.objects.count()) == (1, 0)


def test_a_run_asked_for_by_hand_whose_job_has_no_queue_any_more_is_the_runners_own(desk, row, outside, now):
    Job.objects.filter(pk=row.pk).update(override_queue="")
    asked = Run.objects.create(job=row, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now, queue="reports")
    desk.put("run:1", Firing(job_id=row.pk, name=row.name, cause=Cause.MANUAL, fire_time=now, run_id=asked.pk))
    step(desk)
    assert [queued.run_id for queued in outside.local] == [asked.pk]


@pytest.mark.parametrize(("queue", "goes_to"), [("", None), ("mail", "mail")])
def test_a_run_that_waits_follows_its_job_to_another_queue(desk, firing, row, tasks, outside, queue, goes_to):
    desk.put(firing.name, firing)
    step(desk)
    run = Run.objects.get()
    Job.objects.filter(pk=row.pk).update(override_queue=queue)
    desk.again([away(run)])
    step(desk)
    run.refresh_from_db()
    assert run.queue == queue
    assert tasks.taken[1:] == ([(goes_to, run.pk)] if goes_to else [])
    assert [queued.run_id for queued in outside.local] == ([] if goes_to else [run.pk])


def test_a_run_whose_job_was_deleted_goes_nowhere(desk, firing, tasks):
    desk.put(firing.name, firing)
    step(desk)
    gone = away(Run.objects.get())
    Job.objects.filter(pk=firing.job_id).delete()
    desk.again([gone])
    step(desk)
    assert len(tasks.taken) == 1


def test_while_the_database_is_away_it_waits_and_goes_on(desk, firing, monkeypatch, tasks):
    real, failures = handing.admit, iter([OperationalError("gone")] * 3)
    pauses = []

    def admit(given, moment):
        for error in failures:
            raise error
        return real(given, moment)

    monkeypatch.setattr(handing, "admit", admit)
    monkeypatch.setattr(handing.time, "sleep", pauses.append)
    monkeypatch.setattr(handing.connection, "drop", lambda alias: None)
    desk.put(firing.name, firing)
    step(desk)
    assert (len(tasks.taken), pauses) == (1, [1.0, 1.0])


def test_without_the_lease_the_process_hears_of_it(me, firing, outside, monkeypatch):
    desk = HandOver(Identity.mine(), outside.told())
    monkeypatch.setattr(handing.connections, "close_all", lambda: None)
    desk.put(firing.name, firing)
    desk._work()
    assert [type(error) for error in outside.failures] == [LeaseLost]


def test_a_closed_one_drops_what_waits(desk, firing):
    desk.put(firing.name, firing)
    desk.shutdown()
    assert desk._next() is None
    desk._work()
    desk.join(0)


def test_what_the_loop_hands_over_is_taken_with_what_it_folds_in(desk, firing, now, monkeypatch):
    ticket = ScheduledJob.__new__(ScheduledJob)
    ticket.id, ticket.kwargs = "run:5", {"firing": replace(firing, run_id=5), "backlog": [0]}
    desk.submit_job(ticket, [now])
    assert desk.knows("run:5")


def test_it_is_a_thread_of_its_own():
    worked = threading.Event()
    desk = HandOver(Identity.mine(), Told(local=print, look=print, put_off=print, failed=print))
    desk._thread = threading.Thread(target=worked.set)
    desk.start(BlockingScheduler(), "tasks")
    assert worked.wait(10)
    desk.join(10)


def test_held_between_gate_and_record_is_no_loss(desk, firing, monkeypatch, outside):
    def held(given, moment):
        raise Held

    monkeypatch.setattr(handing, "admit", held)
    later = replace(firing, fire_time=firing.fire_time + SECOND)
    desk.put(firing.name, firing)
    desk._next()
    desk._waiting.clear()
    desk.put(firing.name, later)
    desk._hand_over(firing.name, firing)
    assert (desk._waiting[firing.name].fire_time, desk._waiting[firing.name].coalesced) == (later.fire_time, 1)


def test_a_job_that_becomes_free_between_two_questions_is_handed_over_all_the_same(desk, firing, row, monkeypatch, now):
    answers = iter([None, 99])
    monkeypatch.setattr(history, "hand_over", lambda *args: next(answers))
    monkeypatch.setattr(history, "is_busy", lambda job_id: False)
    sent = []
    monkeypatch.setattr(desk, "_send", lambda run_id, queue, tries: sent.append(run_id))
    admitted = Admitted(firing=firing, plan=plan_of(row), next_run_at=None, forced=False, failing=False, barred="")
    desk._record(firing.name, admitted.firing, "reports", now, None)
    assert sent == [99]


def test_what_comes_while_a_firing_is_in_hand_counts_it_when_the_job_is_busy(desk, firing, row):
    Job.objects.filter(pk=row.pk).update(handed_run_id=999)
    desk.put(firing.name, firing)
    in_hand = desk._next()
    late = replace(firing, fire_time=firing.fire_time + SECOND)
    desk.put(firing.name, late)
    in_hand()
    Job.objects.filter(pk=row.pk).update(handed_run_id=None)  # nobody has told of it yet
    step_while_waiting(desk)
    desk.free(row.pk)
    step_while_waiting(desk)
    assert [(run.scheduled_for, run.coalesced) for run in Run.objects.all()] == [(late.fire_time, 1)]


def test_one_whose_job_becomes_free_before_it_is_noted_as_waiting_is_handed_over(desk, firing, row, monkeypatch, now):
    answers = iter([True, False])
    monkeypatch.setattr(history, "hand_over", lambda *args: None)
    monkeypatch.setattr(history, "is_busy", lambda job_id: next(answers))
    desk._record(firing.name, firing, "reports", now, None)
    assert desk._waiting == {firing.name: firing}


def test_of_two_for_one_fire_time_the_one_that_counts_more_is_kept(desk, firing):
    counting = replace(firing, coalesced=3)
    for first, second in ((firing, counting), (counting, firing)):
        desk.put(firing.name, first)
        desk.put(firing.name, second)
        assert desk._waiting.pop(firing.name) == counting


def test_after_an_outage_a_number_that_was_known_may_be_that_of_another_run(desk, row, monkeypatch, tasks, now):
    asked = Run.objects.create(job=row, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now, queue="reports")
    by_hand = Firing(job_id=row.pk, name=row.name, cause=Cause.MANUAL, fire_time=now, run_id=asked.pk)
    desk._messages.tried(asked.pk, 0, taken=True)
    desk.put("run:1", by_hand)
    step(desk)
    assert tasks.taken == []
    real, failures = handing.admit, iter([OperationalError("gone")])

    def admit(given, moment):
        for error in failures:
            raise error
        return real(given, moment)

    monkeypatch.setattr(handing, "admit", admit)
    monkeypatch.setattr(handing.connection, "drop", lambda alias: None)
    desk.put("run:1", by_hand)
    step(desk)
    assert tasks.taken == [("reports", asked.pk)]
