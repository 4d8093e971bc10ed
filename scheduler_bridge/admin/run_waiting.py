"""What a run waited for, in words."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import diagnosis
from ..models import Run
from ..waiting import Behind, Wait
from . import presentation

SHOWN: Final = 5  # jobs, the longest
NAMED: Final = timedelta(seconds=0.5)  # a part that is shorter is not named
STOPS: Final = ("job", "runner", "hold", "enabled", "worker", "queue")  # the gates that keep a queued run waiting
STOPS_AWAY: Final = ("job", "hold", "enabled", "queue")  # what was handed over starts without a runner too


def words(wait: Wait) -> str:
    """Say it in one line: "12.0 s late, 11.0 s of it behind shop.import_orders"."""
    parts = [_("%(span)s late") % {"span": presentation.span(wait.late)}]
    longest = max(wait.behind, key=lambda one: one.took, default=None)
    if longest is not None and longest.took >= NAMED:
        parts.append(_behind(wait, longest.name))
    parts += [*_held(wait), *_rest(wait)]
    return ", ".join(parts)


def _behind(wait: Wait, name: str) -> str:
    others = len(wait.behind) - 1
    span = presentation.span(sum((one.took for one in wait.behind), timedelta(0)))
    text = ngettext(
        "%(span)s of it behind %(job)s and %(count)d other job",
        "%(span)s of it behind %(job)s and %(count)d other jobs",
        others,
    )
    return (text if others else _("%(span)s of it behind %(job)s")) % {"span": span, "job": name, "count": others}


def _held(wait: Wait) -> Iterator[str]:
    """Name the hold that took longest, with the time of all."""
    longest = max(wait.on_hold, key=lambda one: one.took, default=None)
    took = sum((one.took for one in wait.on_hold), timedelta(0))
    if longest is not None and took >= NAMED:
        by = longest.by or _("a program")
        text = (
            _("%(span)s of it on hold by %(by)s: %(reason)s")
            if longest.reason
            else _("%(span)s of it on hold by %(by)s")
        )
        yield text % {"span": presentation.span(took), "by": by, "reason": longest.reason}


def _rest(wait: Wait) -> Iterator[str]:
    if wait.for_hand_over >= NAMED:
        yield _("%(span)s of it until it was handed over") % {"span": presentation.span(wait.for_hand_over)}
    if wait.for_worker >= NAMED:
        yield _("%(span)s of it for a worker") % {"span": presentation.span(wait.for_worker)}
    if wait.without_runner >= NAMED:
        yield _("%(span)s of it before the runner had started") % {"span": presentation.span(wait.without_runner)}
    if wait.unknown >= NAMED:
        yield _("%(span)s of it for a reason that is not recorded") % {"span": presentation.span(wait.unknown)}


def table(wait: Wait) -> SafeString | str:
    """Give the jobs it waited behind, in their order, with links to their runs."""
    longest = sorted(wait.behind, key=lambda one: -one.took)[:SHOWN]
    shown = [one for one in wait.behind if one in longest and one.took >= NAMED]
    if not shown:
        return ""
    rows = format_html_join("", "<li>{} {} {}</li>", ((_span(one), one.name, _runs(one)) for one in shown))
    return format_html('<ol class="sb-waits">{}</ol>', rows)


def _span(one: Behind) -> SafeString:
    return format_html('<span class="sb-number">{}</span>', presentation.span(one.took))


def _runs(one: Behind) -> SafeString:
    addresses = ((reverse("admin:scheduler_bridge_run_change", args=[pk]), pk) for pk in one.run_ids[:SHOWN])
    links = format_html_join(", ", '<a href="{}">{}</a>', addresses)
    more = len(one.run_ids) - SHOWN
    text = ngettext("run", "runs", len(one.run_ids))
    rest = "" if more <= 0 else " " + ngettext("and %d more", "and %d more", more) % more
    return format_html('<span class="sb-note">{} {}{}</span>', text, links, rest)


def stop(run: Run, now: datetime) -> str:
    """Say what keeps a queued run waiting now; empty when it is about to start."""
    if run.scheduled_for > now:
        return _("it is due at %(at)s") % {"at": presentation.near(run.scheduled_for, now)}
    stops = STOPS_AWAY if run.handed_at is not None else STOPS
    gates = diagnosis.why(run.job.name, now).gates
    return next((gate.text for gate in gates if not gate.passed and gate.name in stops), "")
