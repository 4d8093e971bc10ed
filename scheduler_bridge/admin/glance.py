"""What one reader may see of the scheduler at one moment; each part is read when a page asks for it."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from django.db import DatabaseError, connections, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _

from .. import conf, diagnosis, engine, lease, overview, queues, stuck
from ..diagnosis import RunnerState
from ..models import Job, Run
from ..overview import Presence, Share, Work
from . import banner, meter, placesheet, presentation, worksheet
from .banner import Banner
from .hold_form import HoldForm
from .meter import Meter
from .placesheet import AwayRow, OutwardRow, Places
from .worksheet import FailingRow, Ground, LatestRow, NextRow, RunningRow, WaitingRow

OWN: Final = "scheduler_bridge"  # the app whose own job is there without anybody's doing
LATEST: Final = 20  # runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What the worker does, what waits, what comes next and what fails."""

    running: tuple[RunningRow, ...]
    waiting: tuple[WaitingRow, ...]
    more_waiting: int
    next: tuple[NextRow, ...]
    failing: tuple[FailingRow, ...]
    more_failing: int
    away: tuple[AwayRow, ...]
    more_away: int
    outward: tuple[OutwardRow, ...]
    stuck: tuple[str, ...] = ()  # what should have started, one sentence each


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """How busy the worker was in a span of days."""

    title: str
    percent: str
    words: str
    runs: int
    address: str  # of those runs
    meter: Meter


class Glance:
    """What the pages ask for; empty where the reader may not see it."""

    def __init__(self, request: HttpRequest, *, sees_jobs: bool, sees_runs: bool, may_hold: bool) -> None:
        self.now = datetime.now(UTC)
        self.sees_jobs, self.sees_runs, self.may_hold = sees_jobs, sees_runs, may_hold
        self.path = request.path

    @cached_property
    def presence(self) -> Presence:
        return overview.presence(self.now)

    @cached_property
    def banner(self) -> Banner | None:
        """The bar about the runner."""
        return banner.banner(self.presence, self.now) if self.sees_jobs else None

    @cached_property
    def hold_form(self) -> HoldForm | None:
        """The form that puts the runner on hold, for one who may."""
        return HoldForm() if self.may_hold and self.presence.hold is None else None

    @cached_property
    def work(self) -> Sheet | None:
        """What runs, waits, comes next and fails."""
        if not self.sees_jobs:
            return None
        stopped = _stopped(self.presence)
        ground = Ground(now=self.now, sees_runs=self.sees_runs, has_runner=self._has_runner, stopped=stopped)
        return replace(_sheet(self._work, ground), stuck=tuple(self._stuck()))

    @property
    def has_places(self) -> bool:
        """Whether runs are handed over to an engine, or were and go on."""
        return self.sees_jobs and (engine.is_used() or bool(self._work.away))

    @cached_property
    def places(self) -> Places | None:
        """The queues and hosts."""
        if not self.sees_jobs:
            return None
        return placesheet.places(queues.look(self.now), Ground(now=self.now, sees_runs=self.sees_runs))

    @cached_property
    def busy(self) -> tuple[ShareRow, ...]:
        """How busy the worker was."""
        if not self.sees_jobs:
            return ()
        titles = (_("Today"), _("This week"))
        shares = zip(titles, overview.shares(self.now), strict=True)
        return tuple(_share_row(title, share, self.sees_runs) for title, share in shares)

    @cached_property
    def runs(self) -> tuple[LatestRow, ...]:
        """The last runs."""
        if not self.sees_runs:
            return ()
        rows = Run.objects.using(conf.load().database).select_related("job").defer("output", "warning")
        ground = Ground(now=self.now, sees_runs=True)
        return tuple(worksheet.latest_row(run, ground) for run in rows.order_by("-pk")[:LATEST])

    @cached_property
    def has_jobs(self) -> bool:
        """Whether the project has a job of its own."""
        if any(not name.startswith(f"{OWN}.") for name in self._names()):
            return True
        return Job.objects.using(conf.load().database).filter(removed_at=None).exclude(app=OWN).exists()

    @cached_property
    def had_runner(self) -> bool:
        """Whether there was a runner once."""
        return self.presence.was_ever

    @cached_property
    def mark(self) -> str:
        """Why jobs are not started, for the front page; empty when they are, or when the tables cannot be read."""
        if not self.sees_jobs:
            return ""
        using = conf.load().database
        # The page is not ours: before a migrate, or while the database of the scheduler is away, it must be there.
        guard = transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()
        try:
            with guard:
                state = diagnosis.runner_state(lease.holder(), self.now)
        except DatabaseError:
            return ""
        return "" if state == RunnerState.ALIVE else str(banner.WORDS[state])

    @cached_property
    def _work(self) -> Work:
        hold = self.presence.hold
        return overview.work(self.now, hold.until if hold else None, has_runner=self._has_runner)

    def _stuck(self) -> Iterator[str]:
        """Yield what should have started; no statement is spent on it while nothing waits for long."""
        waiting = (*(place.waiting for place in self._work.line), *self._work.outward)
        if self.presence.state == RunnerState.ALIVE and any(stuck.is_long(item.due_at, self.now) for item in waiting):
            for job in stuck.stuck_jobs(self.now)[:LATEST]:
                yield f"{job.name}: {diagnosis.stuck_words(job)}"

    @property
    def _has_runner(self) -> bool:
        return self.presence.state != RunnerState.ABSENT

    def _names(self) -> Iterator[str]:
        for row in self.runs:
            yield row.name
        for part in (self._work.next, self._work.failing, self._work.running):
            for item in part:
                yield item.name


def _stopped(presence: Presence) -> str:
    """Say when what waits will start, where nothing starts it now; empty where a moment can be told."""
    if presence.state == RunnerState.ABSENT:
        return _("starts when a runner is alive")
    if presence.state == RunnerState.STALLED:
        return _("starts when the runner is restarted")
    return _("starts when somebody resumes") if presence.hold and presence.hold.until is None else ""


def _sheet(work: Work, ground: Ground) -> Sheet:
    return Sheet(
        running=tuple(worksheet.running_row(run, ground) for run in work.running),
        waiting=tuple(worksheet.waiting_row(place, ground) for place in work.line),
        more_waiting=work.waiting - len(work.line),
        next=tuple(worksheet.next_row(item, ground) for item in work.next),
        failing=tuple(worksheet.failing_row(item, ground) for item in work.failing),
        more_failing=work.fail - len(work.failing),
        away=tuple(placesheet.away_row(run, ground) for run in work.away),
        more_away=work.go_on_away - len(work.away),
        outward=tuple(placesheet.outward_row(item, ground) for item in work.outward),
    )


def _share_row(title: str, share: Share, sees_runs: bool) -> ShareRow:
    values: dict[str, Any] = {
        "busy": presentation.whole(share.busy),
        "elapsed": presentation.whole(share.elapsed),
    }
    query = f"?from={share.first.isoformat()}&to={share.last.isoformat()}"
    return ShareRow(
        title=title,
        percent=_percent(share.share),
        words=_("busy for %(busy)s of %(elapsed)s") % values,
        runs=share.runs,
        address=reverse("admin:scheduler_bridge_run_changelist") + query if sees_runs else "",
        meter=meter.of_share(share.share),
    )


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return _("under 0.1 %")
    places = 1 if 0 < share < 0.1 else 0
    return f"{formats.number_format(round(100 * share, places), places)} %"
