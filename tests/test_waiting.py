from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from scheduler_bridge import waiting
from scheduler_bridge.models import Cause, Hold, Job, Run, Runner, Status
from scheduler_bridge.waiting import Busy, OnHold, account, explain, handed


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def busy(now, begin: float, end: float, job: int = 1, run: int = 1) -> Busy:
    return Busy(run_id=run, job_id=job, name=f"job {job}", begin=now + seconds(begin), end=now + seconds(end))


def told(wait) -> list[tuple[str, float, tuple[int, ...]]]:
    return [(one.name, one.took.total_seconds(), one.run_ids) for one in wait.behind]


def test_only_what_lies_between_due_and_start_counts(now):
    wait = account(now, now + seconds(12), [busy(now, -30, 4), busy(now, 5, 12, job=2, run=2)], None)
    assert told(wait) == [("job 1", 4, (1,)), ("job 2", 7, (2,))]
    assert (wait.late, wait.unknown, wait.without_runner) == (seconds(12), seconds(1), seconds(0))


def test_runs_of_one_job_are_taken_together_in_the_place_of_the_first(now):
    rows = [busy(now, 0, 2, job=1, run=1), busy(now, 2, 3, job=2, run=2), busy(now, 3, 6, job=1, run=3)]
    assert told(account(now, now + seconds(6), rows, None)) == [("job 1", 5, (1, 3)), ("job 2", 1, (2,))]


def test_what_does_not_touch_the_wait_is_left_out(now):
    rows = [busy(now, -9, 0), busy(now, 6, 9, job=2)]
    assert told(account(now, now + seconds(6), rows, None)) == []


def test_the_time_until_the_runner_started_is_named(now):
    wait = account(now, now + seconds(60), [busy(now, 40, 55)], now + seconds(38))
    assert (wait.without_runner, wait.unknown) == (seconds(38), seconds(7))


def test_a_former_runner_that_was_busy_is_not_counted_twice(now):
    wait = account(now, now + seconds(60), [busy(now, -5, 30)], now + seconds(50))
    assert (wait.without_runner, wait.unknown) == (seconds(20), seconds(10))
    assert told(wait) == [("job 1", 30, (1,))]


@pytest.mark.parametrize("since", [-60, 0])
def test_a_runner_that_was_there_before_is_no_reason(now, since):
    assert account(now, now + seconds(9), [], now + seconds(since)).without_runner == seconds(0)


def hold(now, begin: float, end: float | None, by: str = "alice") -> Hold:
    return Hold(begun_at=now + seconds(begin), ended_at=None if end is None else now + seconds(end), by=by, reason="x")


def test_the_time_on_hold_is_named_but_for_what_the_worker_did_meanwhile(now):
    held = (hold(now, -10, 20), hold(now, 30, None, "bob"))
    wait = account(now, now + seconds(60), [busy(now, -5, 4), busy(now, 50, 58)], now + seconds(25), held)
    assert wait.on_hold == (
        OnHold(took=seconds(16), by="alice", reason="x"),
        OnHold(took=seconds(22), by="bob", reason="x"),
    )
    assert (wait.without_runner, wait.unknown) == (seconds(5), seconds(5))
    assert sum(one.took.total_seconds() for one in (*wait.on_hold, *wait.behind)) == 50


def test_what_is_handed_over_waits_for_the_end_of_a_hold_too(now):
    wait = handed(now, now + seconds(5), now + seconds(30), (hold(now, 2, 12),))
    assert (wait.for_hand_over, wait.for_worker) == (seconds(2), seconds(18))
    assert wait.on_hold == (OnHold(took=seconds(10), by="alice", reason="x"),)


@given(st.lists(st.tuples(st.integers(-9, 40), st.integers(0, 20), st.booleans()), max_size=8), st.integers(-9, 40))
def test_all_parts_of_a_wait_make_up_the_whole(spans, since):
    now, at, rows, held = datetime(2026, 3, 10, 12, 0, tzinfo=UTC), -20, [], []
    for pause, took, is_hold in spans:
        begin = max(at, pause)
        at = at if is_hold else begin + took  # the worker does one thing at a time
        (held.append if is_hold else rows.append)((hold if is_hold else busy)(now, begin, begin + took))
    wait = account(now, now + seconds(30), rows, now + seconds(since), held)
    parts = (*(one.took for one in (*wait.behind, *wait.on_hold)), wait.without_runner, wait.unknown)
    assert sum(parts, seconds(0)) == wait.late == seconds(30)
    assert min(parts) >= seconds(0)


def test_a_clock_that_was_set_back_makes_no_negative_time(now):
    wait = account(now, now + seconds(5), [busy(now, 3, 2), busy(now, 0, 9, job=2)], now + seconds(99))
    assert min(wait.unknown, wait.without_runner) >= seconds(0)


@pytest.fixture
def add(job, now):
    def add(start: float | None, took: float | None, due: float = 0, **columns) -> Run:
        begin = None if start is None else now + seconds(start)
        given = {"job": job, "status": Status.SUCCEEDED, "cause": Cause.SCHEDULE, **columns}
        end = None if took is None else (begin or now) + seconds(took)
        return Run.objects.create(scheduled_for=now + seconds(due), started_at=begin, finished_at=end, **given)

    return add


@pytest.fixture
def other(job, now) -> Job:
    return Job.objects.create(name="demo.other", app="demo", command="other", created_at=now, owed_since=now)


def test_a_run_is_explained_by_the_rows_before_it(add, now, other):
    first = add(-30, 35, due=-40, job=other)
    second = add(6, 5, due=2)
    run = add(12, 3)
    assert told(explain(run, now)) == [("demo.other", 5, (first.pk,)), ("demo.specimen", 5, (second.pk,))]


def test_a_run_that_waits_is_explained_until_now(add, now, other):
    running = add(-30, None, due=-30, job=other, status=Status.RUNNING)
    queued = add(None, None, status=Status.QUEUED)
    wait = explain(queued, now + seconds(20))
    assert (wait.late, told(wait)) == (seconds(20), [("demo.other", 20, (running.pk,))])


@pytest.mark.parametrize(
    ("start", "status"),
    [(0.9, Status.SUCCEEDED), (None, Status.SKIPPED), (None, Status.CANCELLED)],
    ids=["on time", "skipped", "taken out of the queue"],
)
def test_a_run_that_did_not_wait_is_not_explained(add, now, start, status):
    assert explain(add(start, 1, status=status), now + seconds(60)) is None


def test_a_queued_run_that_is_not_due_does_not_wait(add, now):
    assert explain(add(None, None, due=60, status=Status.QUEUED), now) is None


def test_an_abandoned_run_explains_nothing_since_its_end_is_not_known(add, now, other):
    add(-60, 100, due=-60, job=other, status=Status.ABANDONED)
    assert told(explain(add(45, 1), now)) == []


def test_a_run_that_waited_for_the_end_of_a_hold_says_so(add, now):
    Hold.objects.create(begun_at=now - seconds(60), ended_at=now + seconds(10), by="alice", reason="stocktaking")
    wait = explain(add(12, 1), now)
    assert (wait.on_hold, wait.unknown) == ((OnHold(took=seconds(10), by="alice", reason="stocktaking"),), seconds(2))


def test_the_runner_that_started_it_is_known_while_it_is_the_runner(add, now, me):
    Runner.objects.update(since=now + seconds(8))
    run = add(10, 1, marker=f"{me.token}/x")
    assert explain(run, now).without_runner == seconds(8)
    former = add(10, 1, marker="another/x")
    assert explain(former, now).without_runner == seconds(0)


def test_a_bounded_number_of_rows_is_looked_at(add, now, other, monkeypatch):
    monkeypatch.setattr(waiting, "LOOKED_AT", 3)
    for number in range(10):
        add(number + 0.2, 0.5, due=number, job=other)
    run = add(11, 1)
    with CaptureQueriesContext(connection) as queries:
        wait = explain(run, now)
    assert len(queries) == 4
    assert [len(one.run_ids) for one in wait.behind] == [3]


def test_a_run_with_a_queue_waits_for_a_worker_and_behind_no_job(add, now, other):
    add(-5, 60, job=other)
    wait = explain(add(20, None, queue="reports", handed_at=now + seconds(3)), now + seconds(99))
    assert (wait.late, wait.for_hand_over, wait.for_worker) == (seconds(20), seconds(3), seconds(17))
    assert (wait.behind, wait.unknown, wait.without_runner) == ((), seconds(0), seconds(0))


def test_a_run_that_is_still_to_be_handed_over_waits_for_that(add, now):
    wait = explain(add(None, None, status=Status.QUEUED, queue="reports"), now + seconds(9))
    assert (wait.for_hand_over, wait.for_worker) == (seconds(9), seconds(0))


def test_a_clock_of_another_host_makes_no_negative_wait(add, now):
    wait = explain(add(5, None, queue="reports", handed_at=now + seconds(50)), now + seconds(99))
    assert (wait.for_hand_over, wait.for_worker) == (seconds(5), seconds(0))


def test_what_is_handed_over_keeps_no_other_run_waiting(add, now, other):
    add(0, 60, job=other, queue="reports", host="far")
    wait = explain(add(20, 5), now + seconds(99))
    assert (told(wait), wait.unknown) == ([], seconds(20))
