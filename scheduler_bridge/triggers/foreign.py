"""A trigger that others made, whatever it does when it is asked."""

from copy import copy
from datetime import datetime
from typing import Any, Final

from ..exceptions import TriggerError
from ..object_text import qualified_type_name, text_without_address
from .guard import Given, answer
from .strict import SHORTEST_STEP, TICK, Strict, moment_of

# How often one that counts on from its last fire time is asked for a later one.
STEPS: Final = 10_000
# So many fire times that each follow at once after the one before are no chance.
NEAR: Final = 5


class Foreign(Strict):
    """Asks a trigger as APScheduler does at first, and on from its own answers where those are not later."""

    def __init__(self, given: Given, original: Given | None = None) -> None:
        self.given = given
        # What the settings hold, by which one that did not answer is known again.
        self.original = given if original is None else original
        self._last: datetime | None = None
        self._near = 0

    @property
    def is_foreign(self) -> bool:
        """Whether asking it runs a trigger that others made: it does."""
        return True

    @property
    def name(self) -> str:
        """What errors call it."""
        return qualified_type_name(self.given)

    def _following(self, after: datetime) -> datetime | None:
        found = self._answer(None, after)
        for _ in range(STEPS):
            if found is None or found > after:
                return self._apart(found, after)
            following = self._answer(found, after)
            if following is not None and following <= found:
                raise TriggerError(f"expected a fire time of {self.name} later than {found}, got {following}")
            found = following
        raise TriggerError(f"expected a fire time of {self.name} later than {after}, got {found} after {STEPS:,} steps")

    def _answer(self, previous: datetime | None, after: datetime) -> datetime | None:
        found = answer(self.given, self.original, previous, after + TICK)
        return None if found is None else moment_of(found, self.name)

    def _apart(self, found: datetime | None, after: datetime) -> datetime | None:
        """Return this answer, unless several in a row followed at once; by chance those with a random part may."""
        last, self._last = self._last, found
        is_near = found is not None and last == after and found - after < SHORTEST_STEP
        self._near = self._near + 1 if is_near else 0
        if self._near >= NEAR:
            raise TriggerError(f"expected fire times of {self.name} 10 milliseconds apart, got {after} and {found}")
        return found

    def steady(self) -> Strict:
        """Return it without its random part, where it has one that can be taken away; else itself."""
        try:
            if not getattr(self.given, "jitter", None):
                return self
            given: Any = copy(self.given)
            given.jitter = None
        except Exception:
            return self
        return Foreign(given, self.original)

    def __str__(self) -> str:
        return text_without_address(self.given)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"
