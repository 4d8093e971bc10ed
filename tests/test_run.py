from contextlib import ExitStack, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DataError, IntegrityError, InternalError, OperationalError, ProgrammingError, connection

from scheduler_bridge import api, discovery, history, run
from scheduler_bridge.books import RunnersBooks
from scheduler_bridge.discovery import Discovery, discover
from scheduler_bridge.exceptions import LeaseLost, SkipRun
from scheduler_bridge.execution.origin import Origin
from scheduler_bridge.execution.outcome import Outcome
from scheduler_bridge.execution.spawner import Spawner
from scheduler_bridge.gate import Held
from scheduler_bridge.history import Firing
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Job, Report, Run, Runner, Status
from scheduler_bridge.run import Stopped, Workplace

NAME = "tests.demo.specimen"
GOOD = Outcome(status=Status.SUCCEEDED, exit_code=0, output="")


@pytest.fixture
def define(monkeypatch):
    """Let the specimen's class say something else."""

    def change(**values):
        given = discover()
        definition = replace(given.definitions[NAME], internal=True, **values)
        found = Discovery(definitions={**given.definitions, NAME: definition}, broken={}, others=())
        monkeypatch.setattr(discovery, "discover", lambda: found)

    change()
    return change


@pytest.fixture
def place(me):
    return Workplace(
        books=RunnersBooks(me),
        spawner=Spawner(Origin(head=(), cwd="/", environment={}), "exec"),
        stop=lambda: None,
        stopping=lambda: False,
        entered=lambda run, internal: None,
    )


@pytest.fixture
def firing(me, define):
    job = Job.objects.get(name=NAME)
    due = datetime.now(UTC)
    # The grid of an interval hangs on when the job was created, which may be hours ago when the tests take that long.
    Job.objects.filter(pk=job.pk).update(owed_since=due - timedelta(hours=1), created_at=due)
    return Firing(job_id=job.pk, name=NAME, cause=Cause.SCHEDULE, fire_time=due)


def test_a_firing_becomes_a_closed_run(firing, place):
    completion = run.perform(firing, place)
    stored = Run.objects.get()
    assert (stored.status, stored.exit_code, stored.host) == (Status.SUCCEEDED, 0, place.books.me.host)
    assert (completion.run_id, completion.status) == (stored.pk, Status.SUCCEEDED)
    assert Job.objects.get(name=NAME).next_run_at > firing.fire_time


@pytest.fixture
def seen(define):
    """Give when the job was asked whether it should run."""
    moments: list[datetime] = []
    define(should_run=lambda: moments.append(datetime.now(UTC)) or True)
    return moments


def early(firing: Firing, **distance: float) -> Firing:
    return replace(firing, fire_time=datetime.now(UTC) + timedelta(**distance))


def test_a_worker_that_is_early_waits_for_the_fire_time(firing, place, seen, monkeypatch):
    real = run._execute
    executed: list[datetime] = []
    monkeypatch.setattr(run, "EARLY", timedelta(seconds=0.3))
    monkeypatch.setattr(run, "_execute", lambda *words: executed.append(datetime.now(UTC)) or real(*words))
    firing = early(firing, seconds=0.2)
    run.perform(firing, place)
    stored = Run.objects.get()
    assert firing.fire_time <= min(*seen, *executed)
    assert firing.fire_time == stored.scheduled_for <= stored.started_at <= stored.finished_at


def test_a_run_is_recorded_before_its_fire_time_comes(firing, place, monkeypatch):
    recorded: list[bool] = []
    monkeypatch.setattr(run, "_wait_for", lambda firing: recorded.append(Run.objects.exists()))
    firing = early(firing, minutes=20)  # nobody waits for it here, and no database is so slow
    run.perform(firing, place)
    assert (recorded, Run.objects.get().started_at) == ([True], firing.fire_time)


@pytest.mark.parametrize("stood_still", [0.0, 20.0])
def test_a_process_that_stood_still_after_the_claim_starts_nothing_without_its_lease(
    firing, place, monkeypatch, stood_still
):
    uptime = [100.0]
    monkeypatch.setattr(run, "uptime", lambda: uptime[0])
    executed: list[bool] = []
    monkeypatch.setattr(run, "_execute", lambda *words: executed.append(True) or GOOD)

    def freeze(firing):
        uptime[0] += stood_still
        Runner.objects.update(token="of another")

    monkeypatch.setattr(run, "_wait_for", freeze)
    with pytest.raises(LeaseLost) if stood_still else nullcontext():
        run.perform(firing, place)
    assert executed == ([] if stood_still else [True])


def test_a_clock_that_is_set_back_keeps_no_run_waiting(firing, place, seen):
    firing = early(firing, hours=1)
    run.perform(firing, place)
    assert seen[0] < firing.fire_time
    assert Run.objects.get().status == Status.SUCCEEDED


def test_a_fire_time_runs_once(firing, place):
    run.perform(firing, place)
    assert run.perform(firing, place) is None
    assert Run.objects.count() == 1


@pytest.mark.parametrize("answer", [True, False])
def test_a_firing_whose_schedule_is_changed_after_the_gate_stays_owed(firing, place, define, answer):
    Job.objects.filter(name=NAME).update(next_run_at=firing.fire_time)
    job = Job.objects.get(name=NAME)

    def retimed() -> bool:
        job.override_interval = timedelta(seconds=9)
        job.save()
        return answer

    define(should_run=retimed)
    run.perform(firing, place)
    owed = Job.objects.get(pk=job.pk)
    assert not Run.objects.exists()
    assert (owed.last_fire_at, owed.next_run_at, owed.owed_before) == (None, firing.fire_time, 1)


@pytest.mark.parametrize("answer", [False, None, 0, "", Job.objects.none])
def test_a_false_answer_skips_the_run(firing, place, define, answer):
    define(should_run=lambda: answer() if callable(answer) else answer)
    assert run.perform(firing, place).status == Status.SKIPPED
    assert Run.objects.get().reason == "should_run said no"


def test_a_skip_says_why(firing, place, define):
    def question():
        raise SkipRun("no orders")

    define(should_run=question)
    run.perform(firing, place)
    assert Run.objects.get().reason == "no orders"


def test_an_error_in_the_question_runs_the_job(firing, place, define, caplog):
    define(should_run=lambda: 1 / 0)
    assert run.perform(firing, place).status == Status.SUCCEEDED
    assert "should_run failed, so the job runs" in caplog.text


def test_a_forced_run_is_not_asked(firing, place, define):
    define(should_run=lambda: False)
    queued = api.run_now(NAME, force=True)
    asked = replace(firing, run_id=queued.pk, cause=Cause.MANUAL)
    assert run.perform(asked, place).status == Status.SUCCEEDED


def test_a_disabled_job_is_skipped_and_says_so(firing, place):
    Job.objects.filter(name=NAME).update(enabled=False)
    run.perform(firing, place)
    assert (Run.objects.get().status, Run.objects.get().reason) == (Status.SKIPPED, "the job is disabled")


def test_a_job_that_is_gone_is_nothing_to_do(firing, place):
    Job.objects.filter(name=NAME).delete()
    assert run.perform(firing, place) is None


def test_a_hold_starts_nothing(firing, place):
    Runner.objects.update(held=True)
    with pytest.raises(Held):
        run.perform(firing, place)
    assert not Run.objects.exists()


def test_a_stopping_runner_starts_nothing_and_the_fire_time_stays_due(firing, place):
    with pytest.raises(Stopped):
        run.perform(firing, replace(place, stopping=lambda: True))
    assert not Run.objects.exists()
    assert Job.objects.get(name=NAME).last_fire_at is None


def test_without_the_lease_nothing_starts(firing, place):
    with pytest.raises(LeaseLost):
        run.perform(firing, replace(place, books=RunnersBooks(Identity.mine())))
    assert not Run.objects.exists()


def test_followers_are_queued_with_the_close(firing, place, define):
    define(next_jobs=("by_hand",))
    (chained,) = run.perform(firing, place).chained
    assert chained.name == "tests.demo.by_hand"
    assert Run.objects.get(status=Status.QUEUED).parent_id != chained.run_id


@pytest.mark.parametrize(("notify", "report"), [(True, Report.DUE), (False, Report.NONE)])
def test_a_success_is_reported_where_the_job_asks_for_it(firing, place, notify, report):
    Job.objects.filter(name=NAME).update(notify_on_success=notify)
    run.perform(firing, place)
    assert Run.objects.get().report == report


def test_a_command_that_cannot_be_loaded_fails_loudly(firing, place, define):
    define(command="nonexistent")
    run.perform(replace(firing), place)
    stored = Run.objects.get()
    assert (stored.status, stored.report) == (Status.FAILED, Report.DUE)
    assert "nonexistent" in stored.output


def test_an_outage_before_the_start_is_waited_for(firing, place, monkeypatch):
    real, tries = history.claim, []
    monkeypatch.setattr(run, "RETRY_PAUSE", 0)
    monkeypatch.setattr(run.connection, "drop", lambda alias: None)

    def claim(*arguments):
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("server closed the connection")
        return real(*arguments)

    monkeypatch.setattr(history, "claim", claim)
    assert run.perform(firing, place).status == Status.SUCCEEDED
    assert Run.objects.count() == 1


@pytest.mark.parametrize("queued", [False, True])
def test_whatever_statement_the_outage_meets_after_the_end_the_outcome_is_written(
    transactional_db, firing, place, monkeypatch, queued
):
    if queued:
        firing = replace(firing, run_id=api.run_now(NAME).pk, cause=Cause.MANUAL)
    refused: list[str] = []

    def refuse(execute, sql, params, many, context):
        if len(refused) < 3:
            refused.append(sql)
            raise OperationalError("server closed the connection")
        return execute(sql, params, many, context)

    def end_in_an_outage(*arguments):
        outages.enter_context(connection.execute_wrapper(refuse))
        return Outcome(status=Status.SUCCEEDED, exit_code=0, output="")

    monkeypatch.setattr(run, "RETRY_PAUSE", 0)
    monkeypatch.setattr(run, "_execute", end_in_an_outage)
    monkeypatch.setattr(run.connection, "drop", lambda alias: None)
    with ExitStack() as outages:
        assert run.perform(firing, place).status == Status.SUCCEEDED
    assert len(refused) == 3
    assert Run.objects.get().status == Status.SUCCEEDED


def test_an_outage_at_the_end_loses_no_outcome_even_while_stopping(firing, place, monkeypatch):
    real, stopping = history.close, []
    monkeypatch.setattr(run, "RETRY_PAUSE", 0)
    monkeypatch.setattr(run.connection, "drop", lambda alias: None)

    def close(*arguments, **values):
        if not stopping:
            stopping.append(1)
            raise OperationalError("server closed the connection")
        return real(*arguments, **values)

    monkeypatch.setattr(history, "close", close)
    run.perform(firing, replace(place, stopping=lambda: bool(stopping)))
    assert Run.objects.get().status == Status.SUCCEEDED


@pytest.fixture
def keep(monkeypatch):
    """Keep the connection, and with it the transaction of the test."""
    monkeypatch.setattr("scheduler_bridge.connection.drop", lambda alias: None)


class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("claim", IntegrityError("some other key")),
        ("claim", ProgrammingError("no such table")),
        ("claim", OverflowError("Python int too large")),
        ("skip", DataError("too long")),
    ],
)
def test_what_cannot_be_recorded_is_given_up_for_now_and_stays_due(
    firing, place, define, monkeypatch, keep, step, error
):
    def refuse(*words):
        raise error

    define(should_run=lambda: step == "claim")
    with monkeypatch.context() as patch:
        patch.setattr(history, step, refuse)
        with pytest.raises(run.NotRecorded) as told:
            run.perform(firing, place)
    assert told.value.__cause__ is error
    assert not Run.objects.exists()
    run.perform(firing, place)
    assert Run.objects.count() == 1


def test_an_outage_is_waited_for_whatever_its_class(firing, place, monkeypatch, keep):
    class ReadOnly(Exception):
        sqlstate = "25006"

    real, left = history.claim, [ReadOnly, ReadOnly, ReadOnly]

    def claim(*words):
        if left:
            raise InternalError("cannot execute INSERT in a read-only transaction") from left.pop()()
        return real(*words)

    monkeypatch.setattr(run, "RETRY_PAUSE", 0)
    monkeypatch.setattr(history, "claim", claim)
    assert run.perform(firing, place).status == Status.SUCCEEDED


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (SkipRun(), "should_run said no"),
        (SkipRun(None), "should_run said no"),
        (SkipRun(ValueError("the bank is closed")), "the bank is closed"),
        (SkipRun(Mute()), "<"),
        (SkipRun({"open": False}), "{'open': False}"),
        (SkipRun(0), "0"),
        (type("Bare", (SkipRun,), {"__init__": lambda self, text: None})("late"), "late"),
    ],
)
def test_a_skip_is_told_whatever_it_carries(firing, place, define, answer, reason):
    def should_run():
        raise answer

    define(should_run=should_run)
    run.perform(firing, place)
    stored = Run.objects.get()
    assert (stored.status, stored.reason[: len(reason)]) == (Status.SKIPPED, reason)


@pytest.mark.parametrize("error", [Mute(), SystemExit(Mute()), KeyboardInterrupt(), GeneratorExit(), MemoryError()])
def test_a_question_that_fails_runs_the_job_and_says_so(firing, place, define, caplog, error):
    def should_run():
        raise error

    define(should_run=should_run)
    assert run.perform(firing, place).status == Status.SUCCEEDED
    assert f"{NAME}: should_run failed, so the job runs: {type(error).__name__}" in caplog.text


@pytest.mark.parametrize("is_enduring", [True, False])
def test_an_error_around_a_run_is_its_outcome_but_for_an_engine(firing, place, monkeypatch, is_enduring):
    def fail(*words):
        raise RecursionError("too deep")

    monkeypatch.setattr(run, "_inside", fail)
    with nullcontext() if is_enduring else pytest.raises(RecursionError):
        run.perform(firing, replace(place, enduring=is_enduring))
    stored = Run.objects.get()
    expected = ("failed", "not seen to its end: too deep") if is_enduring else ("running", "")
    assert (stored.status, stored.reason) == expected
