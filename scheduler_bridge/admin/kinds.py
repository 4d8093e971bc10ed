"""What is known of all jobs at once, by which the list is filtered: their kinds, and who says their schedule."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from weakref import WeakKeyDictionary

from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from .. import conf, discovery, registry
from ..discovery import Discovery
from ..models import Job
from ..plan import JobPlan, Source, make_plan
from ..schedules import DailyTimes, Interval, Manual

# All that a plan needs of a row.
COLUMNS: Final = (
    "name",
    "app",
    "command",
    "description",
    "enabled",
    "enabled_default",
    "notify_on_success",
    "notify_default",
    "override_interval",
    "override_times",
    "override_queue",
    "schedule_key",
)


class Kind(StrEnum):
    """What sort of job it is: where it runs, and what starts it."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    AWAY = "away"
    INTERVAL = "interval"
    TIMES = "times"
    TRIGGER = "trigger"
    CHAINED = "chained"
    BY_HAND = "by_hand"


WORDS: Final = {
    Kind.INTERNAL: gettext_lazy("internal: in the runner's process"),
    Kind.EXTERNAL: gettext_lazy("external: in a process of its own"),
    Kind.AWAY: gettext_lazy("handed over to a queue"),
    Kind.INTERVAL: gettext_lazy("at an interval"),
    Kind.TIMES: gettext_lazy("at times of day"),
    Kind.TRIGGER: gettext_lazy("by a trigger of the settings"),
    Kind.CHAINED: gettext_lazy("after another job"),
    Kind.BY_HAND: gettext_lazy("only by hand"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one job is."""

    job_id: int
    app: str
    kinds: frozenset[Kind]
    source: Source  # of its schedule


_READ: Final[WeakKeyDictionary[HttpRequest, tuple[Facts, ...]]] = WeakKeyDictionary()


def of_all(request: HttpRequest) -> tuple[Facts, ...]:
    """Give the facts of all jobs, removed ones included, by one statement a request."""
    if request not in _READ:
        _READ[request] = tuple(_read(Job.objects.only(*COLUMNS).order_by()))
    return _READ[request]


def apps(request: HttpRequest) -> list[str]:
    """Give the apps that have jobs, by one statement a request."""
    if request in _READ:
        return sorted({facts.app for facts in _READ[request]})
    return list(Job.objects.order_by("app").values_list("app", flat=True).distinct())


def chained(found: Discovery) -> frozenset[str]:
    """Give the names of the jobs that follow another."""
    names = (found.resolve(text) for definition in found.definitions.values() for text in definition.next_jobs)
    return frozenset(name for name in names if name is not None)


def _read(rows: Iterable[Job]) -> Iterable[Facts]:
    settings, found = conf.load(), discovery.discover()
    followers = chained(found)
    for row in rows:
        plan = make_plan(registry.definition_of(row, found), settings, row)
        kinds = frozenset(_kinds(plan, followers))
        yield Facts(job_id=row.pk, app=row.app, kinds=kinds, source=plan.schedule.source)


def _kinds(plan: JobPlan, followers: Iterable[str]) -> Iterable[Kind]:
    yield Kind.INTERNAL if plan.definition.internal else Kind.EXTERNAL
    if plan.queue.value:
        yield Kind.AWAY
    match plan.schedule.value:
        case Interval():
            yield Kind.INTERVAL
        case DailyTimes():
            yield Kind.TIMES
        case Manual():
            if plan.name not in followers:
                yield Kind.BY_HAND
        case _:
            yield Kind.TRIGGER
    if plan.name in followers:
        yield Kind.CHAINED
