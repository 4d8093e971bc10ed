"""Who changed what of a job, and when: what goes into Django's log of the admin, and how it is read back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone, translation

from .. import registry, schedules
from ..models import Job
from ..plain import one_line
from ..plan import Source
from . import presentation

COUNT: Final = 15
_SEPARATOR: Final = "; "
# What a person may change, as it is called in the log.
_COLUMNS: Final = (
    ("enabled", "enabled"),
    ("disabled_reason", "why disabled"),
    ("disabled_until", "disabled until"),
    ("override_reason", "why changed"),
    ("override_until", "changed until"),
    ("notify_on_success", "mail successful runs too"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one person did at one moment."""

    at: datetime
    who: str
    lines: tuple[str, ...]


def changes(before: Job, after: Job) -> str:
    """Say what differs between two states of a job in one line for the log; empty where nothing does."""
    with translation.override("en"):  # one log for readers of all languages
        return _SEPARATOR.join(differing(before, after))


def differing(before: Job, after: Job) -> tuple[str, ...]:
    """Say what differs between two states of a job, each as "what: old → new"."""
    pairs = [("schedule", _schedule(before), _schedule(after))]
    pairs.append(("queue", _queue(before), _queue(after)))
    pairs += [(word, _said(getattr(before, name)), _said(getattr(after, name))) for name, word in _COLUMNS]
    return tuple(f"{word}: {old} → {new}" for word, old, new in pairs if old != new)


def last(job: Job, count: int = COUNT) -> tuple[Entry, ...]:
    """Give what people did with this job lately, the newest first."""
    kind = ContentType.objects.get_for_model(Job)
    rows = LogEntry.objects.filter(content_type=kind, object_id=str(job.pk)).select_related("user")
    return tuple(_entry(row) for row in rows.order_by("-action_time", "-pk")[:count])


def _entry(row: LogEntry) -> Entry:
    at = row.action_time if timezone.is_aware(row.action_time) else timezone.make_aware(row.action_time)
    user: Any = row.user
    return Entry(at=at, who=user.get_username(), lines=tuple(row.get_change_message().split(_SEPARATOR)))


def _schedule(job: Job) -> str:
    """Say the schedule that holds, and who says it where that is nobody here."""
    found = registry.plan_of(job).schedule
    words = schedules.words(found.value)
    return words if found.source == Source.DATABASE else f"{words} ({found.source})"


def _queue(job: Job) -> str:
    """Say the queue that holds, and who says it where that is nobody here."""
    found = registry.plan_of(job).queue
    words = found.value or "none"
    return words if found.source == Source.DATABASE else f"{words} ({found.source})"


def _said(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            return presentation.moment(value)
        case None | "":
            return "-"
        case _:
            # The separator stands between the changes of one moment.
            return one_line(str(value).replace(_SEPARATOR, ", "), 200)
