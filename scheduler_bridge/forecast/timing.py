"""The fire times of one job over its stages, as the simulation asks for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from apscheduler.triggers.base import BaseTrigger

from ..exceptions import TriggerError
from ..triggers import Course, Courses, Overdue
from .load import Load


@dataclass(frozen=True, slots=True, eq=False)
class _Span:
    since: datetime
    until: datetime | None  # the last moment that belongs to it
    course: Course


class Timing:
    """The fire times of one job from the beginning of the simulation on; a trigger that breaks has no more of them."""

    def __init__(self, load: Load, courses: Courses) -> None:
        self._left_out = load.left_out
        self._spans = list(_spans(load, courses))

    def after(self, moment: datetime) -> datetime | None:
        """Give the first fire time later than this moment."""
        for span in tuple(self._spans):
            found = self._after(span, moment if moment > span.since else span.since)
            if found is not None and found == self._left_out:
                found = self._after(span, found)
            if found is not None and (span.until is None or found <= span.until):
                return found
        return None

    def fold(self, first: datetime, moment: datetime) -> Overdue:
        """Fold the fire times later than ``first`` up to this moment into it."""
        latest, coalesced = first, 0
        for span in tuple(self._spans):
            end = moment if span.until is None else min(moment, span.until)
            found = self._after(span, max(latest, span.since))
            if found is not None and found <= end:
                folded = self._fold(span, found, end)
                latest, coalesced = folded.latest, coalesced + 1 + folded.coalesced
        return Overdue(latest=latest, coalesced=coalesced)

    def _after(self, span: _Span, moment: datetime) -> datetime | None:
        try:
            return span.course.after(moment)
        except TriggerError:
            self._spans.remove(span)
            return None

    def _fold(self, span: _Span, first: datetime, end: datetime) -> Overdue:
        try:
            return span.course.fold(first, end)
        except TriggerError:
            self._spans.remove(span)
            return Overdue(latest=first, coalesced=0)


def _spans(load: Load, courses: Courses) -> Iterator[_Span]:
    ends = [*(stage.since for stage in load.stages[1:]), None]
    for stage, end in zip(load.stages, ends, strict=False):
        course = None if stage.trigger is None else _course(stage.trigger, courses)
        if course is not None:
            yield _Span(stage.since, end, course)


def _course(trigger: BaseTrigger, courses: Courses) -> Course | None:
    try:
        return courses.course(trigger)
    except TriggerError:
        return None
