"""Schedule to APScheduler trigger, exact over every change of the clocks; the only room that knows trigger classes.

The rule: each listed time of day fires once per local calendar day. A time inside the gap of a clock change fires at
the shifted instant (02:30 becomes 03:30), a repeated time at its first occurrence.
"""

from .conversion import fingerprint, to_trigger
from .course import Course, Courses
from .fire_times import Overdue, next_fire, overdue, upcoming, weight
from .guard import Asked, asked_since
from .resumed import resumed

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
