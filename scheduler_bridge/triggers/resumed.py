"""A trigger of which something is due from before: under another schedule, or by a random part drawn anew."""

from datetime import datetime
from typing import Any

from apscheduler.triggers.base import BaseTrigger

from .exact import after_instant


class Resumed(BaseTrigger):
    """Fires for what is due, and then goes on at the first fire time that the schedule itself has to come.

    APScheduler asks for what follows the last fire time, an interval trigger adds its interval to it: a schedule that
    holds since a moment ago would get fire times of before.
    """

    def __init__(self, trigger: Any, due: datetime, following: datetime | None) -> None:
        self.trigger, self.due, self.following = trigger, due, following

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        after = after_instant(previous_fire_time, now)
        if after < self.due:
            return self.due
        if self.following is None or after < self.following:
            return self.following
        found: datetime | None = self.trigger.get_next_fire_time(previous_fire_time, now)
        return found

    def __str__(self) -> str:
        return str(self.trigger)


def resumed(trigger: BaseTrigger, due: datetime, following: datetime | None) -> BaseTrigger:
    """Give a trigger that fires for what is due and goes on with ``following``; the same one where it does itself."""
    is_its_own = trigger.get_next_fire_time(None, due) == due
    goes_on = trigger.get_next_fire_time(due, due) == following
    return trigger if is_its_own and goes_on else Resumed(trigger, due, following)
