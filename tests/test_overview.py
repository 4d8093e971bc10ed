from datetime import timedelta

import pytest

from scheduler_bridge import api, deployment, lease, standby
from scheduler_bridge.diagnosis import RunnerState
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Cause, Deployment, Job, Report, Run, Runner, Standby, Status
from scheduler_bridge.overview import Code, Waiting, presence, resumption, work
from scheduler_bridge.overview.current import LINES, TAIL, WIDTH, last_lines
from scheduler_bridge.overview.work import CONSIDERED, NEXT, SHOWN

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPECIMEN, BY_HAND = "tests.demo.specimen", "tests.demo.by_hand"


@pytest.fixture
def specimen(me, now) -> Job:
    Job.objects.update(next_run_at=None)
    return timed(SPECIMEN, now + 5 * MINUTE)


def timed(name: str, next_run_at) -> Job:
    """Let a job that runs every half hour be due then."""
    job = Job.objects.get(name=name)
    job.next_run_at, job.owed_since = next_run_at, next_run_at - timedelta(minutes=30)
    job.last_fire_at = job.owed_since
    Job.objects.filter(pk=job.pk).update(
        next_run_at=job.next_run_at, owed_since=job.owed_since, last_fire_at=job.last_fire_at
    )
    return job


def ran(job: Job, now, *seconds: float, status: str = Status.SUCCEEDED) -> None:
    for span in seconds:
        times = {"scheduled_for": now, "started_at": now - span * SECOND, "finished_at": now}
        Run.objects.create(job=job, status=status, cause=Cause.SCHEDULE, **times)


def runs(job: Job, started_at, **values) -> Run:
    times = {"scheduled_for": started_at, "started_at": started_at}
    return Run.objects.create(**{"job": job, "status": Status.RUNNING, "cause": Cause.SCHEDULE, **times, **values})


def queued(job: Job, due_at, cause=Cause.MANUAL, **values) -> Run:
    return Run.objects.create(job=job, status=Status.QUEUED, cause=cause, scheduled_for=due_at, **values)


# What runs now


def test_nothing_runs_waits_or_fails(specimen, now):
    found = work(now)
    assert (found.running, found.line, found.waiting, found.failing, found.fail) == ((), (), 0, (), 0)
    assert [(item.name, item.due_at) for item in found.next] == [(SPECIMEN, now + 5 * MINUTE)]


def test_a_run_is_measured_against_the_usual_time_of_its_job(specimen, now):
    ran(specimen, now, *[1] * 9, *[40] * 18, 60)  # the oldest are not looked at any more
    run = runs(specimen, now - 12 * SECOND, requested_by="pat", cause=Cause.MANUAL)
    (found,) = work(now).running
    assert (found.run_id, found.name, found.cause, found.requested_by) == (run.pk, SPECIMEN, Cause.MANUAL, "pat")
    assert (found.elapsed(now), found.usual.median, found.usual.p95) == (12 * SECOND, 40 * SECOND, 60 * SECOND)
    assert not found.is_long(now)
    assert found.is_long(now + 60 * SECOND)


def test_the_end_of_the_output_is_shown_while_a_run_goes_on(specimen, now):
    runs(specimen, now, output="".join(f"order {number}\n" for number in range(2000)))
    (found,) = work(now).running
    assert found.tail.splitlines() == [f"order {number}" for number in range(2000 - LINES, 2000)]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("", ""),
        ("one\n\x1b[31mtwo\x1b[0m\n\n", "one\ntwo"),
        ("10 %\r20 %\r100 %\r\nready\n", "100 %\nready"),
        ("x" * (TAIL - 5) + "\nlast", "last"),
        ("y" * TAIL, "y" * WIDTH + "…"),
        ("<b>\u202e", "<b>"),
    ],
)
def test_the_last_lines_stand_as_on_a_terminal(output, shown):
    assert last_lines(output) == shown


# What waits


def test_what_waits_stands_in_the_order_of_the_worker(specimen, now):
    by_hand = Job.objects.get(name=BY_HAND)
    timed(SPECIMEN, now - 9 * SECOND)
    ran(specimen, now, 30)
    runs(specimen, now - 10 * SECOND)
    second, first = queued(by_hand, now), queued(by_hand, now - 5 * SECOND, requested_by="pat")
    chained = queued(by_hand, now, Cause.CHAIN)
    line = work(now).line
    assert [place.waiting.run_id for place in line] == [chained.pk, first.pk, second.pk, None]
    assert (line[1].waiting.requested_by, line[3].waiting.due_at) == ("pat", now - 9 * SECOND)
    assert (line[0].starts_at, line[0].behind) == (now + 20 * SECOND, (SPECIMEN,))


def test_fire_times_that_are_folded_in_are_counted(specimen, now):
    timed(SPECIMEN, now - 65 * MINUTE)
    (place,) = work(now).line
    assert (place.waiting.coalesced, place.waiting.due_at) == (2, now - 65 * MINUTE)


def test_a_job_that_was_disabled_a_moment_ago_does_not_wait(specimen, now):
    timed(SPECIMEN, now - SECOND)
    Job.objects.filter(pk=specimen.pk).update(enabled=False)
    assert work(now).line == ()


def test_a_removed_job_does_not_wait(specimen, now):
    timed(SPECIMEN, now - SECOND)
    Job.objects.update(removed_at=now)
    assert work(now).line == ()


def test_a_run_that_exceeds_all_before_it_may_end_at_any_moment(specimen, now):
    ran(specimen, now, 10)
    runs(specimen, now - 60 * SECOND)
    queued(Job.objects.get(name=BY_HAND), now - SECOND)
    (place,) = work(now).line
    assert (place.starts_at, place.is_known, place.behind) == (now, False, (SPECIMEN,))


def test_a_run_that_exceeds_its_usual_time_is_expected_to_end_as_nearly_all_do(specimen, now):
    ran(specimen, now, *[10] * 18, 90, 90)
    runs(specimen, now - 60 * SECOND)
    queued(Job.objects.get(name=BY_HAND), now)
    (place,) = work(now).line
    assert (place.starts_at, place.is_known) == (now + 30 * SECOND, True)


def test_a_hold_with_an_end_lets_the_line_begin_then(specimen, now):
    ran(specimen, now, 30)
    runs(specimen, now - 10 * SECOND)
    queued(Job.objects.get(name=BY_HAND), now)
    (place,) = work(now, now + 60 * MINUTE).line
    assert (place.starts_at, place.behind) == (now + 60 * MINUTE, ())
    (place,) = work(now, now + SECOND).line
    assert (place.starts_at, place.behind) == (now + 20 * SECOND, (SPECIMEN,))


def test_what_follows_a_job_goes_ahead(specimen, now, monkeypatch):
    follows = {SPECIMEN: (BY_HAND,), BY_HAND: ()}
    monkeypatch.setattr("scheduler_bridge.overview.course.chains_of", lambda names: follows)
    ran(Job.objects.get(name=BY_HAND), now, 7)
    ran(specimen, now, 30)
    timed(SPECIMEN, now - SECOND)
    (place,) = work(now).line
    assert [(follower.name, follower.takes) for follower in place.then] == [(BY_HAND, 7 * SECOND)]
    assert place.ends_at == now + 37 * SECOND
    Job.objects.filter(name=BY_HAND).update(enabled=False)
    assert work(now).line[0].then == ()


def many(count: int, now, **values) -> None:
    Job.objects.bulk_create(
        Job(
            name=f"x.{n:04}",
            app="x",
            command=str(n),
            owed_since=now - MINUTE,
            schedule_key='{"interval": 3600.0}',
            **values,
        )
        for n in range(count)
    )


def test_of_a_long_line_the_first_are_shown_and_all_are_counted(specimen, now):
    many(CONSIDERED + NEXT + 50, now, next_run_at=now - MINUTE)
    found = work(now)
    assert (len(found.line), found.waiting) == (CONSIDERED, CONSIDERED + NEXT + 50)


def test_the_next_ones_are_found_among_many(specimen, now):
    many(50, now, next_run_at=now + 60 * MINUTE)
    assert [item.name for item in work(now).next] == [SPECIMEN, "x.0000", "x.0001"]


@pytest.mark.parametrize("count", [0, 1000])
def test_few_statements_tell_all(specimen, now, count, django_assert_max_num_queries):
    many(count, now, next_run_at=now - MINUTE, failing_since=now)
    ran(specimen, now, 3, status=Status.FAILED)
    Job.objects.filter(pk=specimen.pk).update(failing_since=now - MINUTE)
    timed(SPECIMEN, now - SECOND)
    runs(specimen, now)
    with django_assert_max_num_queries(6):
        found = work(now)
    assert (len(found.failing), found.fail) == (min(count + 1, SHOWN), count + 1)


# Who runs the jobs


def test_a_runner_is_alive_stalled_or_absent(me, now):
    assert presence(now).state == RunnerState.ALIVE
    assert presence(now + MINUTE).state == RunnerState.ABSENT
    lease.renew(me, now + 90 * SECOND, now)
    assert presence(now + 90 * SECOND).state == RunnerState.STALLED
    lease.release(me)
    found = presence(now + 90 * SECOND)
    assert (found.state, found.holder, found.was_ever) == (RunnerState.ABSENT, None, True)


def test_there_never_was_a_runner(db, now):
    Runner.objects.update(token="", since=None)
    assert not presence(now).was_ever
    Runner.objects.all().delete()
    found = presence(now)
    assert (found.state, found.was_ever, found.hold, found.unsent) == (RunnerState.ABSENT, False, None, 0)


def test_those_who_stand_by_are_seen_for_half_a_minute(me, now):
    other = Identity(token="other", host="web2", machine="m", pid=7, process_started=1.0)
    standby.note(other, now - MINUTE, now - 29 * SECOND)
    standby.note(me, now - MINUTE, now)  # it became the runner
    assert [(row.host, row.pid) for row in presence(now).standbys] == [("web2", 7)]
    Standby.objects.update(seen_at=now - 31 * SECOND)
    assert presence(now).standbys == ()


def test_a_hold_is_told_with_reason_person_and_end(me, now):
    assert presence(now).hold is None
    api.hold("stocktaking", by="alice", until=now.replace(year=now.year + 50))
    found = presence(now).hold
    assert (found.reason, found.by, found.until.year) == ("stocktaking", "alice", now.year + 50)


def test_only_mails_that_were_refused_count_as_unsent(job, me, now):
    for tries in (0, 1, 2):
        Run.objects.create(job=job, status=Status.FAILED, scheduled_for=now, report=Report.DUE, report_tries=tries)
    Run.objects.create(job=job, status=Status.FAILED, scheduled_for=now, report=Report.SENT, report_tries=3)
    assert presence(now).unsent == 2


def test_the_same_code_everywhere(me, now):
    Runner.objects.update(code=deployment.code_fingerprint())
    assert presence(now).code == Code.SAME


def test_before_the_first_migrate_nothing_is_known_of_the_code(me, now):
    Runner.objects.update(code="")
    assert presence(now).code == Code.SAME


def test_a_page_with_code_that_was_in_force_before_is_out_of_date(me, now):
    Runner.objects.update(code="newer")
    Deployment.objects.all().delete()
    assert presence(now).code == Code.NEW_HERE
    Deployment.objects.create(at=now - MINUTE, code=deployment.code_fingerprint())
    Deployment.objects.create(at=now, code="newer")
    found = presence(now)
    assert (found.code, found.deployed_at) == (Code.OTHER_HERE, now)


def test_a_runner_from_before_a_deployment_is_out_of_date(me, now):
    Runner.objects.update(code=deployment.code_fingerprint(), since=now - 60 * MINUTE)
    Deployment.objects.all().delete()
    Deployment.objects.create(at=now, code=deployment.code_fingerprint())
    assert presence(now + 10 * SECOND).code == Code.SAME  # it may be about to restart
    assert presence(now + 2 * MINUTE).code == Code.OLD_RUNNER
    Runner.objects.update(since=now - SECOND)  # the one that brought the code into force
    assert presence(now + 2 * MINUTE).code == Code.SAME


def test_who_runs_the_jobs_is_read_in_two_statements(me, now, django_assert_num_queries):
    Runner.objects.update(code=deployment.code_fingerprint())
    with django_assert_num_queries(2):
        presence(now)


# What a resume starts


def due(job: Job, due_at, cause=Cause.SCHEDULE, **values) -> Waiting:
    return Waiting(job_id=job.pk, name=job.name, cause=cause, due_at=due_at, **values)


def test_a_resume_starts_one_after_the_other(specimen, now):
    by_hand = Job.objects.get(name=BY_HAND)
    ran(specimen, now, 30)
    ran(by_hand, now, 8)
    run = queued(by_hand, now, requested_by="pat")
    items = [due(specimen, now - MINUTE), due(by_hand, now, Cause.MANUAL, run_id=run.pk)]
    found = resumption(items, now)
    assert [place.waiting.name for place in found.line] == [BY_HAND, SPECIMEN]
    assert (found.line[0].waiting.requested_by, found.line[1].starts_at) == ("pat", now + 8 * SECOND)
    assert (found.ends_at, found.is_known, found.running) == (now + 38 * SECOND, True, None)


def test_a_resume_waits_for_what_runs_still(specimen, now):
    ran(specimen, now, 30)
    runs(specimen, now - 10 * SECOND)
    found = resumption([due(Job.objects.get(name=BY_HAND), now)], now)
    assert found.running.name == SPECIMEN
    assert (found.line[0].starts_at, found.is_known) == (now + 20 * SECOND, False)


def test_a_resume_may_have_nothing_to_start(specimen, now):
    found = resumption([], now)
    assert (found.line, found.ends_at, found.is_known) == ((), now, True)


def test_a_resume_of_many_is_read_in_few_statements(specimen, now, django_assert_max_num_queries):
    many(600, now)
    items = [due(job, now) for job in Job.objects.filter(app="x")]
    with django_assert_max_num_queries(6):
        assert len(resumption(items, now).line) == 600


# What is handed over


def away(job: Job, now, status=Status.RUNNING, **values) -> Run:
    begun = {} if status == Status.QUEUED else {"started_at": now - 9 * SECOND, "host": "far", "heartbeat_at": now}
    run = queued(job, now - 10 * SECOND, Cause.SCHEDULE, queue="reports", hand_at=now, handed_at=now)
    Run.objects.filter(pk=run.pk).update(status=status, **{**begun, **values})
    Job.objects.filter(pk=job.pk).update(handed_run_id=run.pk)
    return run


def test_a_run_that_goes_on_elsewhere_is_no_run_of_the_worker(specimen, now, tasks):
    run = away(specimen, now, output="not shown\n")
    queued(Job.objects.get(name=BY_HAND), now - SECOND)
    found = work(now)
    assert (found.running, found.go_on_away) == ((), 1)
    (other,) = found.away
    assert (other.run_id, other.queue, other.host, other.tail) == (run.pk, "reports", "far", "")
    (place,) = found.line
    assert (place.starts_at, place.behind, place.is_known) == (now, (), True)


def test_a_run_that_waits_for_a_worker_elsewhere_does_not_wait_in_the_line(specimen, now, tasks):
    away(specimen, now, Status.QUEUED)
    timed(SPECIMEN, now - SECOND)  # its next fire time waits for the end of that run
    found = work(now)
    assert (found.line, found.waiting, found.outward, found.away) == ((), 0, (), ())


def test_a_job_whose_run_goes_on_elsewhere_is_due_next_all_the_same(specimen, now, tasks):
    away(specimen, now)
    assert [item.name for item in work(now).next] == [SPECIMEN]


def test_what_is_to_be_handed_over_is_told_apart(specimen, now, tasks):
    Job.objects.filter(pk=specimen.pk).update(override_queue="reports")
    timed(SPECIMEN, now - SECOND)
    run = queued(specimen, now, queue="reports", requested_by="pat")
    found = work(now)
    assert (found.line, found.waiting) == ((), 0)
    assert [(item.run_id, item.queue, item.requested_by) for item in found.outward] == [
        (run.pk, "reports", "pat"),
        (None, "reports", ""),
    ]


def test_without_an_engine_the_runner_has_all_that_waits(specimen, now):
    run = away(specimen, now, Status.QUEUED)
    assert [place.waiting.run_id for place in work(now).line] == [run.pk]


def test_a_follower_that_is_handed_over_does_not_keep_the_worker(specimen, now, monkeypatch, tasks):
    follows = {SPECIMEN: (BY_HAND,), BY_HAND: ("tests.demo.other",)}
    monkeypatch.setattr("scheduler_bridge.overview.course.chains_of", lambda names: follows)
    Job.objects.filter(name=BY_HAND).update(override_queue="reports")
    Job.objects.create(name="tests.demo.other", app="x", command="other", owed_since=now)
    ran(specimen, now, 30)
    timed(SPECIMEN, now - SECOND)
    (place,) = work(now).line
    assert (place.then, place.ends_at) == ((), now + 30 * SECOND)


def test_a_resume_hands_over_beside_the_line(specimen, now, tasks):
    Job.objects.filter(pk=specimen.pk).update(override_queue="reports")
    timed(SPECIMEN, now - SECOND)
    by_hand = queued(Job.objects.get(name=BY_HAND), now)
    waiting = [
        Waiting(job_id=item.job_id, name=item.name, cause=item.cause, due_at=item.due_at, queue=item.queue)
        for item in api.pending(now)
    ]
    found = resumption(waiting, now)
    assert [place.waiting.job_id for place in found.line] == [by_hand.job_id]
    assert [(item.name, item.queue) for item in found.outward] == [(SPECIMEN, "reports")]


@pytest.mark.parametrize("count", [1, 500])
def test_many_that_wait_elsewhere_cost_no_statement_and_no_row(
    specimen, now, count, tasks, django_assert_max_num_queries
):
    Job.objects.bulk_create(Job(name=f"x.{n}", app="x", command=str(n), owed_since=now) for n in range(count))
    values = {"status": Status.QUEUED, "cause": Cause.SCHEDULE, "scheduled_for": now, "queue": "reports"}
    ids = Job.objects.filter(app="x").values_list("pk", flat=True)
    Run.objects.bulk_create(Run(job_id=pk, hand_at=now, handed_at=now, **values) for pk in ids)
    away(specimen, now)
    with django_assert_max_num_queries(6):
        found = work(now)
    assert (found.waiting, found.go_on_away) == (0, 1)
