from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from scheduler_bridge import discovery, forecast, lease, registry
from scheduler_bridge.discovery import Discovery
from scheduler_bridge.forecast import Load, Running, Waiting
from scheduler_bridge.models import Cause, Job, Run, Runner, Status
from scheduler_bridge.schedules import Interval
from scheduler_bridge.triggers import upcoming

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def specimen(db):
    return Job.objects.get(name="tests.demo.specimen")


@pytest.fixture
def shop(db, now):
    """Give a way to make jobs that fire at round minutes, and no other jobs."""
    Job.objects.all().delete()

    def shop(name: str, minutes: int = 30, **values) -> Job:
        given = {
            "app": "shop",
            "command": name,
            "created_at": now - DAY,
            "schedule_key": f'{{"interval": {minutes * 60.0}}}',
            "owed_since": now,
            "last_fire_at": now,
            "next_run_at": now + minutes * MINUTE,
        }
        return Job.objects.create(name=f"shop.{name}", **given | values)

    return shop


@pytest.fixture
def code(monkeypatch, shop):
    """Let the code say this of some jobs."""
    template = discovery.discover().definitions["tests.demo.specimen"]

    def code(**said):
        definitions = [replace(template, app="shop", command=name, **values) for name, values in said.items()]
        named = MappingProxyType({definition.name: definition for definition in definitions})
        monkeypatch.setattr(discovery, "discover", lambda: Discovery(definitions=named, broken={}, others=()))

    return code


@pytest.fixture
def ran(now):
    """Give a way to add past runs of a job."""

    def ran(job: Job, *seconds: float, status: Status = Status.SUCCEEDED, **values) -> None:
        for took in seconds:
            begun = now - timedelta(hours=1)
            spans = {"scheduled_for": begun, "started_at": begun, "finished_at": begun + took * SECOND}
            Run.objects.create(**{"job": job, "status": status, "cause": Cause.SCHEDULE} | spans | values)

    return ran


def fires(row: Job, now: datetime, count: int = 3) -> list[datetime]:
    return forecast.next_fires(registry.plan_of(row), row, now, count)


def read(row: Job, now: datetime, **values) -> Load:
    return next(load for load in forecast.loads(now, **values) if load.job_id == row.pk)


def minutes(load: Load, now: datetime, count: int = 2) -> list[float]:
    """Give the next fire times of the first stage."""
    return [(moment - now) / MINUTE for moment in upcoming(load.stages[0].trigger, load.stages[0].since, count)]


def test_an_interval_goes_on_from_its_last_fire_time(specimen, now):
    specimen.override_interval = timedelta(minutes=30)
    specimen.last_fire_at = specimen.owed_since = now - timedelta(minutes=10)
    assert fires(specimen, now) == [now + timedelta(minutes=minutes) for minutes in (20, 50, 80)]


def test_times_of_day_are_local(specimen, now):
    specimen.override_times = ["09:30:00", "18:30:00"]
    summer = specimen.owed_since = now.replace(month=7)
    assert [moment.astimezone(UTC).hour for moment in fires(specimen, summer, 2)] == [16, 7]


@pytest.mark.parametrize("column", ["enabled", "removed_at"])
def test_a_job_that_is_off_has_none(specimen, now, column):
    setattr(specimen, column, False if column == "enabled" else now)
    assert fires(specimen, now) == []


def test_a_job_by_hand_has_none(db, now):
    assert fires(Job.objects.get(name="tests.demo.by_hand"), now) == []


def test_every_job_is_read_with_what_is_usual_for_it(shop, ran, now):
    pay, ship = shop("pay", 30), shop("ship", 10)
    ran(pay, 4, 8, 90)
    ran(pay, 0, status=Status.SKIPPED, coalesced=2)
    assert minutes(read(pay, now), now) == [30, 60]
    assert (read(pay, now).usual, read(pay, now).skipped, read(pay, now).is_known) == (8 * SECOND, 0.5, True)
    assert (read(ship, now).usual, read(ship, now).is_known) == (SECOND, False)


def test_many_jobs_take_a_few_statements(shop, now, django_assert_num_queries):
    first = shop("pay0")
    rows = [Job(name=f"shop.pay{number}", app="shop", command="pay", created_at=now) for number in range(1, 450)]
    Job.objects.bulk_create([first, *rows], ignore_conflicts=True)
    runs = [
        Run(job=job, status=Status.SUCCEEDED, cause=Cause.SCHEDULE, scheduled_for=now, started_at=now, finished_at=now)
        for job in Job.objects.all()
    ]
    Run.objects.bulk_create(runs)
    with django_assert_num_queries(6):  # the jobs, what is open, three for their last runs, the runner
        found = forecast.loads(now)
    assert len(found) == 450


def test_a_removed_job_is_not_read(shop, now):
    shop("pay", removed_at=now)
    assert forecast.loads(now) == ()


def test_a_disabled_job_is_read_without_fire_times(shop, now):
    load = read(shop("pay", enabled=False, schedule_key="disabled", next_run_at=None), now)
    assert ([stage.trigger for stage in load.stages], load.enabled) == ([None], False)


def test_followers_are_the_jobs_that_the_code_names(shop, code, now):
    code(pay={"next_jobs": ("shop.ship", "bill", "unknown")}, ship={}, bill={})
    pay, ship, bill = shop("pay"), shop("ship"), shop("bill")
    assert read(pay, now).followers == (ship.pk, bill.pk)


@pytest.mark.parametrize("anyhow", [False, True])
def test_a_job_that_mostly_fails_has_followers_only_if_they_follow_failures(shop, code, ran, now, anyhow):
    code(pay={"next_jobs": ("ship",), "next_on_failure": anyhow}, ship={})
    pay, ship = shop("pay"), shop("ship")
    ran(pay, 1, 1, status=Status.FAILED)
    ran(pay, 1)
    assert read(pay, now).followers == ((ship.pk,) if anyhow else ())


def test_what_is_due_already_is_owed(shop, now):
    past = {"owed_since": now - 25 * MINUTE, "last_fire_at": now - 25 * MINUTE, "next_run_at": now - 15 * MINUTE}
    load = read(shop("pay", 10, **past), now)
    assert (load.owed.latest, load.owed.coalesced) == (now - 5 * MINUTE, 1)
    assert minutes(load, now) == [5, 15]


@pytest.mark.parametrize(("started", "since"), [(60, 15), (10, 15), (4, 5)], ids=["long ago", "meanwhile", "just now"])
def test_what_is_owed_waits_since_the_runner_had_it_in_hand(shop, me, now, started, since):
    past = {"owed_since": now - 25 * MINUTE, "last_fire_at": now - 25 * MINUTE, "next_run_at": now - 15 * MINUTE}
    job = shop("pay", 10, **past)
    Runner.objects.update(since=now - started * MINUTE)
    assert read(job, now).owed.since == now - since * MINUTE


@pytest.mark.parametrize("is_there", [False, True], ids=["no runner", "a dead runner"])
def test_what_is_owed_is_handed_over_as_one_when_a_runner_begins(shop, me, now, is_there):
    past = {"owed_since": now - 25 * MINUTE, "last_fire_at": now - 25 * MINUTE, "next_run_at": now - 15 * MINUTE}
    job = shop("pay", 10, **past)
    if is_there:
        Runner.objects.update(since=now - 60 * MINUTE, heartbeat_at=now - 20 * MINUTE)
    else:
        lease.release(me)
    assert read(job, now).owed.since == now - 5 * MINUTE


def test_a_disabled_job_owes_nothing(shop, now):
    load = read(shop("pay", enabled=False, schedule_key="disabled", next_run_at=now - MINUTE), now)
    assert load.owed is None


def typed(row: Job, **values) -> dict[int, Job]:
    """Give what a form makes of a row before it is saved."""
    changed = Job.objects.get(pk=row.pk)
    vars(changed).update(values)
    return {row.pk: changed}


def test_what_is_typed_counts_from_now_and_nothing_is_written(shop, now):
    pay = shop("pay", 60, last_fire_at=now - 50 * MINUTE, owed_since=now - 50 * MINUTE, next_run_at=now + 10 * MINUTE)
    load = read(pay, now, typed=typed(pay, override_interval=20 * MINUTE))
    assert (minutes(load, now), load.owed) == ([10, 30], None)
    assert minutes(read(pay, now), now) == [10, 70]


def test_what_was_due_before_stays_owed_under_what_is_typed(shop, now):
    pay = shop("pay", 60, last_fire_at=now - 90 * MINUTE, owed_since=now - 90 * MINUTE, next_run_at=now - 30 * MINUTE)
    owed = read(pay, now, typed=typed(pay, override_interval=20 * MINUTE)).owed
    assert (owed.latest, owed.coalesced) == (now - 30 * MINUTE, 0)


def test_a_form_can_disable_a_job(shop, now):
    pay = shop("pay")
    load = read(pay, now, typed=typed(pay, enabled=False))
    assert (load.enabled, load.stages[0].trigger) == (False, None)


def test_a_form_can_send_a_job_to_other_workers(shop, code, tasks, now):
    code(pay={"internal": False})
    pay = shop("pay")
    found = (read(pay, now), read(pay, now, typed=typed(pay, override_queue="reports")))
    assert [load.is_away for load in found] == [False, True]


def test_both_sides_of_a_change_are_simulated_from_one_reading(shop, now, django_assert_num_queries):
    pay = shop("pay", 60)
    changed = typed(pay, override_interval=20 * MINUTE)
    with django_assert_num_queries(4):
        found = forecast.before_and_after(now, now + 70 * MINUTE, changed)
    times = [[(start.due - now) / MINUTE for start in side.starts] for side in found]
    assert times == [[60], [20, 40, 60]]


def test_the_jobs_that_are_not_changed_are_the_same_on_both_sides(shop, code, now):
    code(pay={"schedule": Interval(30 * MINUTE)}, ship={})
    pay = shop("pay", 10, override_interval=10 * MINUTE, override_until=now + 25 * MINUTE)
    ship = shop("ship", 60)
    found = forecast.before_and_after(now, now + 70 * MINUTE, typed(ship))
    times = [[(start.due - now) / MINUTE for start in side.starts if start.job_id == pay.pk] for side in found]
    assert times == [[10, 20, 30, 60]] * 2


def test_a_job_that_is_disabled_for_a_while_comes_back(shop, code, now):
    code(pay={"schedule": Interval(30 * MINUTE)})
    end = now + 45 * MINUTE
    until = {"enabled": False, "schedule_key": "disabled", "next_run_at": None, "disabled_until": end}
    load = read(shop("pay", **until), now)
    assert [(stage.since, stage.trigger is None) for stage in load.stages] == [(now, True), (end, False)]
    found = forecast.simulate([load], now, now + 100 * MINUTE)
    assert [(start.due - now) / MINUTE for start in found.starts] == [60, 90]


def test_one_whose_while_is_over_is_back_already(shop, code, now):
    code(pay={"schedule": Interval(30 * MINUTE)})
    until = {"enabled": False, "schedule_key": "disabled", "next_run_at": None, "disabled_until": now - MINUTE}
    found = forecast.simulate([read(shop("pay", **until), now)], now, now + 70 * MINUTE)
    assert [(start.due - now) / MINUTE for start in found.starts] == [30, 60]


def test_an_override_for_a_while_gives_way(shop, code, now):
    code(pay={"schedule": Interval(30 * MINUTE)})
    until = {"override_interval": 10 * MINUTE, "override_until": now + 25 * MINUTE}
    load = read(shop("pay", 10, **until), now)
    found = forecast.simulate([load], now, now + 100 * MINUTE)
    assert [(start.due - now) / MINUTE for start in found.starts] == [10, 20, 30, 60, 90]


@pytest.mark.parametrize(("end", "minutes"), [(None, [10, 20, 30, 40, 50]), (35, [10, 20, 30, 60])])
def test_an_end_that_is_typed_is_the_one_that_counts(shop, code, now, end, minutes):
    code(pay={"schedule": Interval(30 * MINUTE)})
    pay = shop("pay", 10, override_interval=10 * MINUTE, override_until=now + 25 * MINUTE)
    changed = typed(pay, override_until=end and now + end * MINUTE)
    found = forecast.before_and_after(now, now + 60.5 * MINUTE, changed)[1]
    assert [(start.due - now) / MINUTE for start in found.starts][: len(minutes)] == minutes


def test_a_fire_time_to_be_left_out_is_read(shop, now):
    load = read(shop("pay", skip_next_at=now + 30 * MINUTE), now)
    found = forecast.simulate([load], now, now + 100 * MINUTE)
    assert [(start.due - now) / MINUTE for start in found.starts] == [60, 90]


@pytest.mark.parametrize(("begun", "ends"), [(3, 5), (9, 0)], ids=["as usual", "longer than usual"])
def test_what_runs_now_ends_as_usual(shop, ran, now, begun, ends):
    pay = shop("pay")
    ran(pay, 8)
    started = now - begun * SECOND
    Run.objects.create(job=pay, status=Status.RUNNING, cause=Cause.SCHEDULE, scheduled_for=started, started_at=started)
    assert read(pay, now).running == Running(started=started, ends=now + ends * SECOND)


def test_queued_runs_are_read_the_oldest_first(shop, now):
    pay = shop("pay")
    runs = [
        Run.objects.create(job=pay, status=Status.QUEUED, cause=cause, scheduled_for=now, forced=forced)
        for cause, forced in ((Cause.MANUAL, True), (Cause.CHAIN, False))
    ]
    expected = [Waiting(run_id=run.pk, cause=run.cause, due=now, is_forced=run.forced) for run in runs]
    assert read(pay, now).queued == tuple(expected)


def test_a_run_that_was_claimed_while_the_jobs_were_read_is_not_owed_again(shop, now):
    due = now - MINUTE
    pay = shop("pay", 10, owed_since=now - 11 * MINUTE, last_fire_at=now - 11 * MINUTE, next_run_at=due)
    Run.objects.create(job=pay, status=Status.RUNNING, cause=Cause.SCHEDULE, scheduled_for=due, started_at=now)
    load = read(pay, now)
    assert (load.owed, minutes(load, now)) == (None, [9, 19])


def test_everything_is_read_and_simulated(shop, ran, now):
    pay, ship = shop("pay", 30), shop("ship", 30)
    ran(pay, 60)
    ran(ship, 20)
    Run.objects.create(job=ship, status=Status.QUEUED, cause=Cause.MANUAL, scheduled_for=now)
    found = forecast.ahead(now, now + 40 * MINUTE)
    expected = [(ship, Cause.MANUAL, 0), (pay, Cause.SCHEDULE, 30 * MINUTE), (ship, Cause.SCHEDULE, 31 * MINUTE)]
    assert [(item.job_id, item.cause, item.starts - now) for item in found.starts] == [
        (job.pk, cause, after or timedelta(0)) for job, cause, after in expected
    ]
    assert found.starts[2].behind == ("shop.pay",)
