"""The last runs of a job as a row of small bars: how long each took, and how it ended."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import conf
from ..models import FAILURES, Status
from ..past import COUNT, PastRun
from . import presentation

SLOT: Final = 7  # from one bar to the next
BAR: Final = 5  # the width of one
HEIGHT: Final = 24
LEAST: Final = 3
FOOT: Final = 4  # below the bars, where failures are marked for those who tell no colours apart


def drawn(runs: Sequence[PastRun], now: datetime) -> SafeString:
    """Draw these runs, given from the newest to the oldest, with the newest at the right."""
    if not runs:
        return format_html('<span class="sb-quiet">{}</span>', _("no runs yet"))
    shown = runs[:COUNT]
    longest = max((elapsed(run, now) for run in shown), default=timedelta(0))
    first = COUNT - len(shown)
    prefix = runs_address()
    bars = [(address(run, prefix), *_bar(run, place, longest, now)) for place, run in enumerate(reversed(shown), first)]
    # They are reached by the keyboard in the list of runs; here they would be twenty stops for each job.
    bar = '<a href="{}" tabindex="-1"><rect class="sb-b-{}" x="{}" y="{}" width="{}" height="{}"/><title>{}</title></a>'
    return format_html(
        '<svg class="sb-bars" viewBox="0 0 {} {}" width="{}" height="{}" role="group" aria-label="{}">{}{}</svg>',
        COUNT * SLOT,
        HEIGHT + FOOT,
        COUNT * SLOT,
        HEIGHT + FOOT,
        counted(shown),
        format_html_join("", bar, bars),
        _marks(shown, first),
    )


def counted(runs: Iterable[PastRun]) -> str:
    """Say how many runs there are and how they ended: "20 runs: 18 succeeded, 2 failed"."""
    numbers = Counter(run.status for run in runs)
    total = sum(numbers.values())
    parts = [f"{numbers[status]} {status.label}" for status in Status if numbers[status]]
    return ngettext("%(number)d run: %(parts)s", "%(number)d runs: %(parts)s", total) % {
        "number": total,
        "parts": ", ".join(parts),
    }


def elapsed(run: PastRun, now: datetime) -> timedelta:
    """Give how long a run took, or has taken so far; nothing for one that did not start."""
    if run.took is not None:
        return run.took
    is_running = run.status == Status.RUNNING and run.started_at is not None
    return max(timedelta(0), now - run.started_at) if is_running and run.started_at else timedelta(0)


def title(run: PastRun, now: datetime) -> str:
    """Say when a run was due, how it ended and how long it took."""
    when = f"{conf.load().local(run.scheduled_for):%Y-%m-%d %H:%M:%S}"
    span = elapsed(run, now)
    if run.status == Status.SKIPPED and run.coalesced:
        times = run.coalesced + 1
        how = ngettext("skipped %(times)d time", "skipped %(times)d times in a row", times) % {"times": times}
    else:
        how = str(run.status.label)
    return f"{when}: {how}, {presentation.span(span)}" if span or run.took is not None else f"{when}: {how}"


def runs_address() -> str:
    """Give the address of the history, which those of all runs begin with."""
    return reverse("admin:scheduler_bridge_run_changelist")


def address(run: PastRun, prefix: str) -> str:
    """Give the address of the page of a run."""
    return f"{prefix}{run.run_id}/change/"


def _bar(run: PastRun, place: int, longest: timedelta, now: datetime) -> tuple[str | int, ...]:
    height = max(LEAST, round(HEIGHT * (elapsed(run, now) / longest))) if longest else LEAST
    return run.status, place * SLOT + 1, HEIGHT - height, BAR, height, title(run, now)


def _marks(runs: Sequence[PastRun], first: int) -> SafeString:
    """Draw a stroke below each run that failed."""
    places = (place for place, run in enumerate(reversed(runs), first) if run.status in FAILURES)
    path = "".join(f"M{place * SLOT + 1} {HEIGHT + FOOT - 1}h{BAR}" for place in places)
    return format_html('<path class="sb-b-mark" d="{}"/>', path) if path else SafeString()
