"""What the control thread tells the process it belongs to, and what it asks of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .asking import Timed
from .away import News
from .history import Queued
from .registry import Planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """All that the loop is to schedule, read in one look."""

    planned: tuple[Planned, ...]
    queued: tuple[Queued, ...]
    held: bool
    again: bool  # time everything anew, not only what changed
    gone: tuple[str, ...] | None = None  # None: all that is not planned
    to_end: Mapping[int, str] = field(default_factory=dict)  # the running runs that somebody wants to end, and who


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the control thread tells the process it belongs to."""

    apply: Callable[[Timetable], None]
    renew: Callable[[], None]  # a migrate changed the tables under the same code
    outdated: Callable[[], None]  # other code than this process runs was migrated
    occupied: Callable[[str], bool]  # another holds the lease; True: wait for it
    failed: Callable[[BaseException], None]
    loop_at: Callable[[], tuple[datetime, float] | None]  # the last turn of the loop: wall and monotonic
    busy: Callable[[], bool]  # something runs or waits
    news: Callable[[News], None]  # of runs that were handed over
    asking: Callable[[], Timed | None]  # the job of which the loop asks the trigger right now
    between: Callable[[Callable[[], int]], None]  # to be done when no run is in hand; gives how many mails are owed
    mail: Callable[[], None]  # one is owed
