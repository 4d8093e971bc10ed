"""What a resume would start, in the words of its page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import overview
from ..api import Pending
from ..diagnosis import RunnerState
from ..overview import Place, Presence, Resumption, Waiting
from . import banner, presentation, worksheet

SHOWN: Final = 300  # jobs that are chosen one by one; a form may not have many more fields


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRow:
    """A run that would start."""

    number: int
    job_id: int
    is_first: bool  # of its job, whose runs are chosen together
    name: str
    job: str
    cause: str
    due: str
    distance: Any
    folded: str
    starts: str
    takes: str
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The page."""

    is_held: bool
    hold: str
    reason: str
    hold_end: str
    rows: tuple[ResumeRow, ...]  # those that are handed over are behind the others
    listed: str  # the jobs in the rows
    more: int  # runs that are not shown
    summary: str
    running: str
    missing: str  # why nothing starts after a resume


def shown(pending: Iterable[Pending], presence: Presence, now: datetime) -> Shown:
    """Say what would start in which order, when, and how long all of it takes."""
    hold = presence.hold
    found = overview.resumption((_waiting(item) for item in pending), now)
    rows = tuple(islice(_rows(found, now), SHOWN))
    return Shown(
        is_held=hold is not None,
        hold=banner.hold_words(hold, now) if hold else "",
        reason=hold.reason if hold else "",
        hold_end=banner.hold_end(hold, now) if hold else "",
        rows=rows,
        listed=",".join(str(row.job_id) for row in rows if row.is_first),
        more=len(found.line) + len(found.outward) - len(rows),
        summary=_summary(found, now),
        running=_running(found, now),
        missing="" if presence.state == RunnerState.ALIVE else str(banner.WORDS[presence.state]),
    )


def _waiting(item: Pending) -> Waiting:
    return Waiting(
        job_id=item.job_id,
        name=item.name,
        cause=item.cause,
        due_at=item.due_at,
        coalesced=item.coalesced,
        run_id=item.run_id,
        queue=item.queue,
    )


def _rows(found: Resumption, now: datetime) -> Iterator[ResumeRow]:
    seen: set[int] = set()
    places: list[Place | Waiting] = [*found.line, *found.outward]
    for number, place in enumerate(places, 1):
        item = place.waiting if isinstance(place, Place) else place
        row = _row(item, number, now, is_first=item.job_id not in seen)
        seen.add(item.job_id)
        yield _timed(row, place, now) if isinstance(place, Place) else row


def _row(item: Waiting, number: int, now: datetime, *, is_first: bool) -> ResumeRow:
    """Say what there is to say of one that is handed over."""
    folded = ngettext("%d earlier fire time folded in", "%d earlier fire times folded in", item.coalesced)
    return ResumeRow(
        number=number,
        job_id=item.job_id,
        is_first=is_first,
        name=item.name,
        job=worksheet.job_address(item.job_id),
        cause=worksheet.cause_words(item.cause, item.requested_by),
        due=presentation.clock(item.due_at, now),
        distance=presentation.countdown(item.due_at, now),
        folded=folded % item.coalesced if item.coalesced else "",
        starts=_("when a worker of queue %(queue)s takes it up") % {"queue": item.queue},
        takes="-",
        then="",
    )


def _timed(row: ResumeRow, place: Place, now: datetime) -> ResumeRow:
    """Say when the runner's worker starts one."""
    return replace(
        row,
        starts=_starts(place, now),
        takes=presentation.about(place.takes) if place.takes is not None else _("not known yet"),
        then=", ".join(f"{one.name} ({presentation.about(one.takes)})" for one in place.then),
    )


def _starts(place: Place, now: datetime) -> str:
    """Say how long after the resume a run starts."""
    distance = place.starts_at - now
    if not distance:
        return _("at once") if place.is_known else _("after those above")
    text = _("after about %(span)s") if place.is_known else _("after more than %(span)s")
    return text % {"span": presentation.whole(distance)}


def _summary(found: Resumption, now: datetime) -> str:
    if not found.line and not found.outward:
        return _("Nothing is due: the runner goes on with what falls due next.")
    if not found.line:
        return _handed_over(len(found.outward))
    values = {
        "number": len(found.line),
        "span": presentation.whole(found.ends_at - now),
        "end": presentation.clock(found.ends_at.replace(microsecond=0), now),
    }
    if found.is_known:
        text = ngettext(
            "%(number)d run is due. It takes about %(span)s, until %(end)s.",
            "%(number)d runs are due. All of them take about %(span)s, until %(end)s.",
            len(found.line),
        )
    else:
        text = ngettext(
            "%(number)d run is due. It takes more than %(span)s: not all that starts has run before.",
            "%(number)d runs are due. All of them take more than %(span)s: not all that starts has run before.",
            len(found.line),
        )
    return " ".join([text % values, *([_handed_over(len(found.outward))] if found.outward else [])])


def _handed_over(number: int) -> str:
    text = ngettext("%(number)d run is handed over.", "%(number)d runs are handed over.", number)
    return text % {"number": number}


def _running(found: Resumption, now: datetime) -> str:
    if found.running is None:
        return ""
    values = {"job": found.running.name, "progress": worksheet.progress_words(found.running, now)}
    return _("%(job)s runs still: %(progress)s.") % values
