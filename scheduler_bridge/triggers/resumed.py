"""A trigger of which something is due from before: under another schedule, or by a random part drawn anew."""

from datetime import datetime

from apscheduler.triggers.base import BaseTrigger

from .conversion import strict
from .strict import Strict


class Resumed(Strict):
    """Fires for what is due, and then goes on at the first fire time that the schedule itself has to come.

    APScheduler asks for what follows the last fire time, an interval trigger adds its interval to it: a schedule that
    holds since a moment ago would get fire times of before.
    """

    def __init__(self, trigger: Strict, due: datetime, following: datetime | None) -> None:
        self.trigger, self.due, self.resumes = trigger, due, following

    @property
    def is_foreign(self) -> bool:
        """Whether the trigger it resumes is."""
        return self.trigger.is_foreign

    def _following(self, after: datetime) -> datetime | None:
        if after < self.due:
            return self.due
        if self.resumes is None or after < self.resumes:
            return self.resumes
        return self.trigger.later(after)

    def weight(self, fire_time: datetime) -> int:
        """Return how many listed times of the trigger fall on this fire time."""
        return self.trigger.weight(fire_time)

    def steady(self) -> Strict:
        """Return the trigger itself without its random part."""
        return self.trigger.steady()

    def __str__(self) -> str:
        return str(self.trigger)


def resumed(trigger: BaseTrigger, due: datetime, following: datetime | None) -> BaseTrigger:
    """Give a trigger that fires for what is due and goes on with ``following``; the same one where it does itself."""
    trigger = strict(trigger)
    is_its_own = trigger.get_next_fire_time(None, due) == due
    goes_on = trigger.get_next_fire_time(due, due) == following
    return trigger if is_its_own and goes_on else Resumed(trigger, due, following)
