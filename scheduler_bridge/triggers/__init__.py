"""Schedule to APScheduler trigger, exact over every change of the clocks; the only room that knows trigger classes.

The rule: each listed time of day fires once per local calendar day. A time inside the gap of a clock change fires at
the shifted instant (02:30 becomes 03:30), a repeated time at its first occurrence. A cron trigger whose minute or hour
begins with a star follows the real clock.

What `to_trigger` returns keeps its word whoever made it: the next fire time is in UTC, strictly later, and found in
bounded steps and time; else it is a TriggerError.
"""

from .conversion import to_trigger
from .course import Course, Courses
from .fire_times import Overdue, next_fire, overdue, upcoming, weight
from .guard import Asked, asked_since
from .resumed import resumed
from .stamp import fingerprint

__all__ = [
    "Asked",
    "Course",
    "Courses",
    "Overdue",
    "asked_since",
    "fingerprint",
    "next_fire",
    "overdue",
    "resumed",
    "to_trigger",
    "upcoming",
    "weight",
]
