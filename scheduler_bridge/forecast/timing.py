"""The fire times of one job over its stages, as the simulation asks for them."""

from dataclasses import dataclass
from datetime import datetime

from ..triggers import Course, Courses, Overdue
from .load import Load


@dataclass(frozen=True, slots=True)
class _Span:
    since: datetime
    until: datetime | None  # the last moment that belongs to it
    course: Course


class Timing:
    """The fire times of one job from the beginning of the simulation on."""

    def __init__(self, load: Load, courses: Courses) -> None:
        ends = [*(stage.since for stage in load.stages[1:]), None]
        self._left_out = load.left_out
        self._spans = [
            _Span(stage.since, end, courses.course(stage.trigger))
            for stage, end in zip(load.stages, ends, strict=False)
            if stage.trigger is not None
        ]

    def after(self, moment: datetime) -> datetime | None:
        """Give the first fire time later than this moment."""
        for span in self._spans:
            found = span.course.after(moment if moment > span.since else span.since)
            if found is not None and found == self._left_out:
                found = span.course.after(found)
            if found is not None and (span.until is None or found <= span.until):
                return found
        return None

    def fold(self, first: datetime, moment: datetime) -> Overdue:
        """Fold the fire times later than ``first`` up to this moment into it."""
        latest, coalesced = first, 0
        for span in self._spans:
            end = moment if span.until is None else min(moment, span.until)
            found = span.course.after(max(latest, span.since))
            if found is not None and found <= end:
                folded = span.course.fold(found, end)
                latest, coalesced = folded.latest, coalesced + 1 + folded.coalesced
        return Overdue(latest=latest, coalesced=coalesced)
