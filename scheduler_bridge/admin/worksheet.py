"""What runs, waits and fails, in the words of the overview."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import Cause, Run, Status
from ..overview import Failing, Next, Place, Running
from . import meter, presentation
from .meter import Meter

LATE: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the rows are written on: the moment, what the reader may see, and what keeps the line from moving."""

    now: datetime
    sees_runs: bool
    has_runner: bool = True
    stopped: str = ""  # when what waits will start, as no runner starts it now

    def run(self, run_id: int | None) -> str:
        """Give the address of a run; empty for one who may not see it."""
        return reverse("admin:scheduler_bridge_run_change", args=[run_id]) if self.sees_runs and run_id else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A job or a run, by its name and its addresses."""

    name: str
    job: str
    run: str
    run_id: int | None
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRow(Row):
    """A run that goes on."""

    since: str
    late: str
    progress: str  # empty where nothing drives it any more
    is_long: bool
    meter: Meter | None
    tail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow(Row):
    """One that waits."""

    due: str
    distance: Any
    folded: str
    starts: str
    behind: str
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRow(Row):
    """One that is due next."""

    due: str
    distance: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingRow(Row):
    """One that fails."""

    since: str
    distance: Any
    times: str
    status: Any
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestRow(Row):
    """One of the last runs."""

    due: str
    status: Any
    took: str
    reason: str


def running_row(run: Running, ground: Ground) -> RunningRow:
    """Say how far a run is, against its usual time."""
    late = run.started_at - run.due_at
    return RunningRow(
        name=run.name,
        job=job_address(run.job_id),
        run=ground.run(run.run_id),
        run_id=run.run_id,
        cause=cause_words(run.cause, run.requested_by),
        since=presentation.clock(run.started_at, ground.now),
        late=presentation.about(late) if late >= LATE else "",
        progress=progress_words(run, ground.now) if ground.has_runner else "",
        is_long=run.is_long(ground.now),
        meter=meter.of_run(run.elapsed(ground.now), run.usual) if ground.has_runner else None,
        tail=run.tail if ground.sees_runs else "",
    )


def progress_words(run: Running, now: datetime) -> str:
    """Say for how long a run goes on, against its usual time: "12 s of usually 40 s"."""
    values = {
        "elapsed": presentation.whole(run.elapsed(now)),
        "usual": presentation.about(run.usual.median),
        "high": presentation.about(run.usual.p95),
    }
    if run.usual.median is None:
        return _("%(elapsed)s; how long it usually takes is not known yet") % values
    if run.is_long(now):
        return _("%(elapsed)s of usually %(usual)s: unusually long, 95 %% of its runs end within %(high)s") % values
    return _("%(elapsed)s of usually %(usual)s") % values


def waiting_row(place: Place, ground: Ground) -> WaitingRow:
    """Say since when one waits, behind what, and when it will start."""
    item = place.waiting
    folded = ngettext("%d earlier fire time folded in", "%d earlier fire times folded in", item.coalesced)
    return WaitingRow(
        name=item.name,
        job=job_address(item.job_id),
        run=ground.run(item.run_id),
        run_id=item.run_id,
        cause=cause_words(item.cause, item.requested_by),
        due=presentation.clock(item.due_at, ground.now),
        distance=presentation.countdown(item.due_at, ground.now),
        folded=folded % item.coalesced if item.coalesced else "",
        starts=starts_words(place, ground),
        behind=behind_words(place),
        then=", ".join(follower.name for follower in place.then),
    )


def starts_words(place: Place, ground: Ground) -> str:
    """Say when one will start, as far as history tells."""
    if ground.stopped:
        return ground.stopped
    if place.starts_at <= ground.now and place.is_known:
        return _("starts now")
    text = _("starts about %(at)s") if place.is_known else _("starts not before %(at)s")
    return text % {"at": presentation.clock(place.starts_at.replace(microsecond=0), ground.now)}


def behind_words(place: Place) -> str:
    """Say behind what one waits; empty when it is the first."""
    rest = place.ahead - len(place.behind)
    if rest <= 0:
        return ", ".join(place.behind)
    text = ngettext("%(names)s and %(rest)d more", "%(names)s and %(rest)d more", rest)
    return text % {"names": ", ".join(place.behind), "rest": rest}


def next_row(item: Next, ground: Ground) -> NextRow:
    """Say when a job is due."""
    return NextRow(
        name=item.name,
        job=job_address(item.job_id),
        run="",
        run_id=None,
        due=presentation.clock(item.due_at, ground.now),
        distance=presentation.countdown(item.due_at, ground.now),
    )


def failing_row(item: Failing, ground: Ground) -> FailingRow:
    """Say since when a job fails, how often and how."""
    times = ngettext("%d failure in a row", "%d failures in a row", item.times)
    if not item.is_whole:
        times = ngettext("%d failure in a row or more", "%d failures in a row or more", item.times)
    return FailingRow(
        name=item.name,
        job=job_address(item.job_id),
        run=ground.run(item.run_id),
        run_id=item.run_id,
        since=presentation.clock(item.since, ground.now),
        distance=presentation.countdown(item.since, ground.now),
        times=times % item.times if item.times else "",
        status=presentation.pill(item.status) if item.status else "",
        reason=item.reason if ground.sees_runs else "",
    )


def latest_row(run: Run, ground: Ground) -> LatestRow:
    """Say what became of a run."""
    return LatestRow(
        name=run.job.name,
        job=job_address(run.job_id),
        run=ground.run(run.pk),
        run_id=run.pk,
        cause=cause_words(Cause(run.cause), run.requested_by),
        due=presentation.clock(run.scheduled_for, ground.now),
        status=presentation.pill(Status(run.status)),
        took=presentation.duration(run),
        reason=run.reason,
    )


def cause_words(cause: Cause, requested_by: str = "") -> str:
    """Say why a run was started and who asked; nothing of one that was due by its schedule."""
    if requested_by:
        return _("%(cause)s (%(person)s)") % {"cause": cause.label, "person": requested_by}
    return "" if cause == Cause.SCHEDULE else str(cause.label)


def job_address(job_id: int) -> str:
    """Give the address of a job."""
    return reverse("admin:scheduler_bridge_job_change", args=[job_id])
