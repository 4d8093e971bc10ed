"""What the loop hands over covers each fire time once, however the schedule is changed while something is due.

The loop, the worker, the gate and the claim are the real ones; they are turned by hand, at moments that are drawn.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine

from scheduler_bridge import discovery, gate, history, registry
from scheduler_bridge.discovery import Discovery, discover
from scheduler_bridge.handing import HandOver, Told
from scheduler_bridge.history import Firing
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Job, Run, Status
from scheduler_bridge.run import Completion
from scheduler_bridge.scheduler import Scheduler
from scheduler_bridge.schedules import DailyTimes, Interval
from scheduler_bridge.triggers import to_trigger as trigger_of
from scheduler_bridge.triggers import upcoming
from scheduler_bridge.worker import OneWorker

ZONE = ZoneInfo("Europe/Stockholm")
MINUTE = timedelta(minutes=1)
# What a person may choose; nothing is what the code says, every four minutes.
CHOICES: tuple[dict[str, Any], ...] = (
    {"override_interval": None, "override_times": None},
    {"override_interval": 3 * MINUTE},
    {"override_interval": 7 * MINUTE},
    {"override_interval": None, "override_times": ["13:20:00", "13:50:00", "14:20:00", "14:50:00"]},
    {"enabled": False},
    {"enabled": True},
    {"enabled": True},
)


class ByHand(OneWorker):
    """A worker that takes its firings when the test says so."""

    def start(self, scheduler: Any, alias: str) -> None:
        super(OneWorker, self).start(scheduler, alias)

    def work(self) -> None:
        if self._heap:
            self._take()()


@dataclass
class Expected:
    """The fire times of a job whose rule changes, reckoned without the scheduler."""

    begun: datetime
    since: datetime
    row: Job
    found: list[datetime] = field(default_factory=list)

    def reach(self, now: datetime) -> None:
        """Note what fires up to this moment."""
        row, rule = self.row, None
        if row.override_interval:
            rule = Interval(row.override_interval)
        elif row.override_times:
            rule = DailyTimes(tuple(map(time.fromisoformat, row.override_times)))
        else:
            rule = Interval(4 * MINUTE)
        if row.enabled and now > self.since:
            trigger = trigger_of(rule, ZONE, anchor=max([self.begun, *self.found]))
            self.found += [moment for moment in upcoming(trigger, self.since, 50) if moment <= now]
        self.since = now


@dataclass
class Site:
    """One job, and a runner that does what the test says."""

    me: Identity
    row: Job
    now: datetime
    chance: random.Random
    expected: Expected = field(init=False)
    at_the_gate: bool = False

    def __post_init__(self) -> None:
        self.expected = Expected(self.now, self.now, self.row)
        self.start_again()

    def start_again(self) -> None:
        """Be another process, which knows what the tables say."""
        self.reader, self.worker = registry.Reader(), ByHand(self.execute, print)
        told = HandOver(self.me, Told(local=print, look=print, put_off=print, failed=print))
        self.scheduler = Scheduler(self.worker, told, lambda scheduler, now: None, print)
        self.scheduler._main_loop = lambda: None
        self.scheduler.start()
        self.scheduler.apply(self.reader.read_all(self.now).planned, (), False)

    def execute(self, firing: Firing) -> Completion | None:
        admitted = gate.admit(firing, self.now)
        if admitted is None:
            return None
        if self.at_the_gate:
            self.change()
        if admitted.barred:
            history.skip(admitted.firing, self.me, admitted.barred, self.now, admitted.next_run_at)
            return Completion(name=firing.name, status=Status.SKIPPED)
        run = history.claim(admitted.firing, self.me, self.now, admitted.next_run_at)
        return run and Completion(name=firing.name, status=Status.SUCCEEDED)

    def change(self) -> None:
        """Let a person change the schedule, of which the runner hears at once."""
        self.expected.reach(self.now)
        row = Job.objects.get(pk=self.row.pk)
        for name, value in self.chance.choice(CHOICES).items():
            setattr(row, name, value)
        row.save()
        self.expected.row = row
        reading = self.reader.read_changed(self.now)
        self.scheduler.apply(reading.planned, (), False, gone=reading.gone)

    def work(self) -> None:
        self.worker.work()

    def work_while_it_is_changed(self) -> None:
        self.at_the_gate = True
        self.worker.work()
        self.at_the_gate = False

    def turn(self) -> None:
        self.scheduler._process_jobs()


@pytest.fixture
def row(db, me, now, monkeypatch):
    """The only job there is."""
    specimen = discover().definitions["tests.demo.specimen"]
    definition = replace(specimen, app="shop", command="pay", schedule=Interval(4 * MINUTE))
    found = Discovery(definitions=MappingProxyType({"shop.pay": definition}), broken={}, others=())
    monkeypatch.setattr(discovery, "discover", lambda: found)
    Job.objects.all().delete()
    registry.sync(now)
    return Job.objects.get()


@pytest.mark.parametrize("seed", range(40))
def test_each_fire_time_is_covered_once_however_the_schedule_is_changed(row, me, now, seed):
    chance = random.Random(seed)
    with time_machine.travel(now, tick=False) as clock:
        site = Site(me, row, now, chance)
        site.now += 5 * MINUTE  # the first fire time is due, whatever follows
        steps = (site.change, site.work, site.turn, site.start_again, site.work_while_it_is_changed)
        for _ in range(60):
            site.now += chance.choice((0, 0, 1, 1, 2, 5)) * MINUTE
            clock.move_to(site.now)
            site.turn()
            chance.choices(steps, (3, 3, 1, 1, 1))[0]()
        for _ in range(3):
            site.turn()
            site.work()
    site.expected.reach(site.now)
    runs = list(Run.objects.order_by("id"))
    assert {run.scheduled_for for run in runs} <= set(site.expected.found)
    assert sum(run.coalesced + 1 for run in runs) == len(site.expected.found) > 0
