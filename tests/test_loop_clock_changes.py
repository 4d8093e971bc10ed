"""The real loop, turned by a virtual clock through both changes of the clocks in Stockholm."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from scheduler_bridge.handing import HandOver, Told
from scheduler_bridge.history import Firing
from scheduler_bridge.lease import Identity
from scheduler_bridge.registry import Planned
from scheduler_bridge.scheduler import Scheduler
from scheduler_bridge.schedules import Custom, DailyTimes
from scheduler_bridge.triggers import next_fire, to_trigger
from scheduler_bridge.worker import OneWorker

ZONE = ZoneInfo("Europe/Stockholm")
FORWARD = datetime(2027, 3, 28, 1, tzinfo=UTC)  # 02:00 becomes 03:00
BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)  # 03:00 becomes 02:00
HOURS = timedelta(hours=3)
SECONDS = timedelta(seconds=20)
DAYS = timedelta(days=2)


def cron(**fields: object) -> Custom:
    return Custom(CronTrigger(timezone=ZONE, **fields))


def at(change: datetime, *offsets: timedelta) -> list[datetime]:
    return [change + offset for offset in offsets]


def every(change: datetime, step: timedelta, around: timedelta, first: timedelta = timedelta(0)) -> list[datetime]:
    """Return the grid of so many seconds that the change lies on, or lies this much before."""
    number = around // step
    grid = (change + first + count * step for count in range(-number - 1, number + 1))
    return [moment for moment in grid if change - around < moment <= change + around]


def half_past_two(change: datetime) -> list[datetime]:
    """Return 02:30 of the days around: in the gap it is 03:30, of two it is the first."""
    hours = (-23.5, 0.5, 23.5) if change == FORWARD else (-24.5, -0.5, 24.5)
    return at(change, *(timedelta(hours=count) for count in hours))


class ByHand(OneWorker):
    """A worker that takes its firings when the test says so."""

    def start(self, scheduler: object, alias: str) -> None:
        super(OneWorker, self).start(scheduler, alias)


def fired(trigger: BaseTrigger, begin: datetime, end: datetime) -> list[datetime]:
    """Turn the loop from one fire time to the next, and return those that it handed to the worker."""
    done: list[Firing] = []
    worker = ByHand(done.append, pytest.fail)
    desk = HandOver(Identity.mine(), Told(local=print, look=print, failed=print, put_off=print))
    scheduler = Scheduler(worker, desk, lambda scheduler, now: None, lambda job, error: pytest.fail(str(error)))
    scheduler._main_loop = lambda: None
    with time_machine.travel(begin, tick=False) as clock:
        scheduler.start()
        first = next_fire(trigger, begin)
        planned = Planned(job_id=1, name="shop.pay", key="key", trigger=trigger, next_run_at=first, due=None)
        scheduler.apply((planned,), (), False)
        while (moment := scheduler.store.get_next_run_time()) is not None and moment <= end:
            assert not done or moment > done[-1].fire_time, f"the loop stands still at {moment}"
            clock.move_to(moment)
            scheduler._process_jobs()
            worker._take()()
    worker.close()
    assert [item.coalesced for item in done] == [0] * len(done)
    return [item.fire_time for item in done]


@pytest.mark.parametrize("change", [FORWARD, BACK], ids=["forward", "back"])
@pytest.mark.parametrize(
    ("schedule", "around", "expected"),
    [
        pytest.param(cron(minute="*/20"), HOURS, lambda change: every(change, timedelta(minutes=20), HOURS), id="*/20"),
        pytest.param(
            cron(minute=5),
            HOURS,
            lambda change: every(change, timedelta(hours=1), HOURS, timedelta(minutes=5)),
            id="5 * * * *",
        ),
        pytest.param(cron(hour=2, minute=30), DAYS / 2 + timedelta(hours=1), half_past_two, id="30 2 * * *"),
        pytest.param(DailyTimes((time(2, 30),)), DAYS / 2 + timedelta(hours=1), half_past_two, id="times 02:30"),
        pytest.param(
            cron(second="*"), SECONDS, lambda change: every(change, timedelta(seconds=1), SECONDS), id="second"
        ),
    ],
)
def test_the_loop_fires_at_the_right_moments_through_a_change_of_the_clocks(schedule, around, expected, change):
    trigger = to_trigger(schedule, ZONE, anchor=change - around)
    assert fired(trigger, change - around, change + around) == expected(change)


def test_the_grid_of_the_test_is_the_one_of_utc():
    assert every(FORWARD, timedelta(hours=1), timedelta(hours=1)) == at(FORWARD, timedelta(0), timedelta(hours=1))
