"""Reading only what changed gives the same timetable as reading everything."""

import random
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
import time_machine
from django.db import OperationalError

from scheduler_bridge import discovery, registry
from scheduler_bridge.discovery import Discovery, discover
from scheduler_bridge.handing import HandOver, Told
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Job
from scheduler_bridge.registry import timetable
from scheduler_bridge.scheduler import Scheduler
from scheduler_bridge.schedules import Interval, Manual
from scheduler_bridge.worker import OneWorker

COUNT = 12


def handing() -> HandOver:
    return HandOver(Identity.mine(), Told(local=print, look=print, put_off=print, failed=print))


@pytest.fixture
def jobs(db, now, monkeypatch):
    """A dozen jobs, some of them without a schedule."""
    specimen = discover().definitions["tests.demo.specimen"]
    definitions = [
        replace(
            specimen, app="shop", command=f"j{n}", schedule=Interval(timedelta(minutes=5 + n)) if n % 4 else Manual()
        )
        for n in range(COUNT)
    ]
    named = MappingProxyType({definition.name: definition for definition in definitions})
    found = Discovery(definitions=named, broken={}, others=())
    monkeypatch.setattr(discovery, "discover", lambda: found)
    Job.objects.all().delete()
    registry.sync(now)
    return Job.objects.order_by("name")


@pytest.fixture
def loop():
    """Make loops that are never turned, only told what is planned."""
    made = []

    def make() -> Scheduler:
        scheduler = Scheduler(OneWorker(lambda firing: None, print), handing(), lambda scheduler, now: None, print)
        scheduler._main_loop = lambda: None
        scheduler.start()
        made.append(scheduler)
        return scheduler

    yield make
    for scheduler in made:
        scheduler.worker.close()


def planned_in(scheduler: Scheduler) -> dict[str, tuple]:
    return {job.id: (job.kwargs["key"], job.next_run_time, str(job.trigger)) for job in scheduler.get_jobs()}


def override(chance, job, now):
    Job.objects.filter(pk=job.pk).update(override_interval=chance.choice([None, timedelta(minutes=7)]))


def times(chance, job, now):
    Job.objects.filter(pk=job.pk).update(override_times=chance.choice([None, ["09:30:00"], ["nonsense"]]))


def save(chance, job, now):
    job.enabled = chance.random() < 0.5
    job.override_interval = chance.choice([None, timedelta(hours=1)])
    job.save()


def switch(chance, job, now):
    Job.objects.filter(pk=job.pk).update(enabled=not job.enabled)


def remove(chance, job, now):
    Job.objects.filter(pk=job.pk).update(removed_at=chance.choice([None, now]))


def delete(chance, job, now):
    if chance.random() < 0.3:
        job.delete()


def fire(chance, job, now):
    Job.objects.filter(pk=job.pk).update(last_fire_at=now, owed_since=now, next_run_at=None)


def create(chance, job, now):
    registry.sync(now)


CHANGES = (override, times, save, switch, remove, delete, fire, create)


@pytest.mark.parametrize("seed", range(15))
def test_what_changed_and_everything_give_the_same_timetable(jobs, loop, now, seed):
    chance, reader, by_change, in_full = random.Random(seed), registry.Reader(), loop(), loop()
    by_change.apply(reader.read_all(now).planned, (), False)
    in_full.apply(registry.load(now), (), False)
    for step in range(30):
        moment = now + timedelta(seconds=20 * step)
        with time_machine.travel(moment, tick=False):
            for _ in range(chance.randrange(4)):
                chance.choice(CHANGES)(chance, chance.choice(list(Job.objects.all())), moment)
        reading = reader.read_changed(moment)
        by_change.apply(reading.planned, (), False, gone=reading.gone)
        in_full.apply(registry.load(moment), (), False)
        assert planned_in(by_change) == planned_in(in_full)


def test_nothing_changed_is_one_statement_and_nothing_planned(jobs, now, django_assert_num_queries):
    reader = registry.Reader()
    reader.read_all(now)
    Job.objects.update(last_fire_at=now, owed_since=now, next_run_at=now + timedelta(hours=1))
    with django_assert_num_queries(1):
        reading = reader.read_changed(now)
    assert (reading.planned, reading.gone) == ((), ())


@pytest.mark.parametrize("number", [1, COUNT])
def test_only_what_changed_is_planned(jobs, now, number, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(timetable, "BATCH", 5)
    reader = registry.Reader()
    reader.read_all(now)
    rows = jobs.filter(pk__in=list(jobs.values_list("pk", flat=True)[:number]))
    rows.update(override_interval=timedelta(hours=2), schedule_key="")
    assert len(reader.read_changed(now).planned) == number
    rows.update(override_times=["10:00:00"])  # an interval wins, so the plan is the same
    with django_assert_num_queries(1 + -(-number // 5)):
        assert len(reader.read_changed(now).planned) == number


def test_a_look_that_failed_is_made_up_for(jobs, now, monkeypatch):
    reader = registry.Reader()
    reader.read_all(now)
    job = jobs[1]
    Job.objects.filter(pk=job.pk).update(override_interval=timedelta(hours=3))

    def fail(*arguments):
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(timetable, "_plan", fail)
        with pytest.raises(OperationalError, match="gone"):
            reader.read_changed(now)
    assert [item.name for item in reader.read_changed(now).planned] == [job.name]


def test_a_row_that_was_made_again_is_timed_anew(jobs, loop, now):
    reader, scheduler = registry.Reader(), loop()
    scheduler.apply(reader.read_all(now).planned, (), False)
    job = jobs[1]
    Job.objects.filter(pk=job.pk).delete()
    again = Job.objects.create(name=job.name, app=job.app, command=job.command, schedule_key=job.schedule_key)
    reading = reader.read_changed(now)
    scheduler.apply(reading.planned, (), False, gone=reading.gone)
    assert scheduler.get_job(job.name).kwargs["firing"].job_id == again.pk != job.pk


def test_a_reader_that_has_read_nothing_finds_everything_changed(jobs, now):
    assert {item.name for item in registry.Reader().read_changed(now).planned} == {
        item.name for item in registry.load(now)
    }
