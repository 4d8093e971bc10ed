"""Several triggers as one; each is asked by instants, so none can hide another."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from apscheduler.triggers.combining import AndTrigger, OrTrigger

from ..exceptions import TriggerError
from .strict import TICK, Strict

# How often the members of an AndTrigger are asked for a moment they have in common.
STEPS: Final = 10_000


class Combined(Strict):
    """What both kinds have in common."""

    triggers: list[Strict]

    def __init__(self, triggers: Iterable[Strict], jitter: Any = None) -> None:
        self.triggers, self.jitter = list(triggers), jitter

    @property
    def is_foreign(self) -> bool:
        """Whether one of its members is."""
        return any(member.is_foreign for member in self.triggers)

    def steady(self) -> Strict:
        """Return it without its random part and those of its members."""
        return type(self)([member.steady() for member in self.triggers])


class ExactOr(Combined, OrTrigger):
    """Fires when the earliest of its members does."""

    def _following(self, after: datetime) -> datetime | None:
        found = (member.later(after) for member in self.triggers)
        return min((moment for moment in found if moment is not None), default=None)

    def weight(self, fire_time: datetime) -> int:
        """Add up the members that fire at this instant."""
        due = (member for member in self.triggers if member.later(fire_time - TICK) == fire_time)
        return max(1, sum(member.weight(fire_time) for member in due))


class ExactAnd(Combined, AndTrigger):
    """Fires when all of its members do, their random parts left out; has ended when one of them has."""

    def _following(self, after: datetime) -> datetime | None:
        for _ in range(STEPS):
            found: list[datetime] = []
            for member in self.triggers:
                moment = member.following(after)
                if moment is None:
                    return None
                found.append(moment)
            if not found:
                return None
            latest = max(found)
            if min(found) == latest:
                return latest
            after = latest - TICK
        raise TriggerError(
            f"expected a moment at which all members of {self} fire, got none up to {after:%Y-%m-%d} ({STEPS:,} steps);"
            " an AndTrigger fires only at a moment that every member names to the microsecond"
        )

    def weight(self, fire_time: datetime) -> int:
        """Return how many wall times fall on this instant for every member."""
        return min((member.weight(fire_time) for member in self.triggers), default=1)
