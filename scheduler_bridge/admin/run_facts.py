"""What is known of a run, fact by fact, as its page shows it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import past
from ..execution.exit_code import signal_name
from ..models import Run, Status
from . import presentation

ENOUGH: Final = 3  # runs by which one can say what is usual
PUNCTUAL: Final = timedelta(seconds=0.1)
SHELL_SIGNALS: Final = 128  # a shell gives this plus the number of the signal that ended its command


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that is known of a run."""

    name: str
    title: str
    value: Any


def facts(run: Run, now: datetime) -> tuple[Fact, ...]:
    """Give what is known, in the order in which it is read; what does not apply to this run is left out."""
    return tuple(Fact(name=name, title=title, value=value) for name, title, value in _all(run, now) if value)


def _all(run: Run, now: datetime) -> Iterator[tuple[str, str, Any]]:
    yield "due", _("due"), presentation.moment(run.scheduled_for)
    yield "cause", _("cause"), run.get_cause_display()
    yield "started", _("started"), _started(run)
    yield "requested_by", _("asked for by"), run.requested_by
    yield "finished", _("finished"), run.finished_at and presentation.moment(run.finished_at)
    yield "after", _("after the run"), run.parent and link(run.parent)
    yield "duration", _("duration"), _duration(run)
    yield "exit_code", _("exit code"), exit_words(run.exit_code)
    yield "cpu", _("CPU time"), _cpu(run)
    yield "memory", _("peak memory"), _memory(run)
    yield "coalesced", _("fire times folded in"), run.coalesced
    yield "forced", _("forced"), run.forced and _("yes: disabled or not, and without asking should_run")
    yield "cancel", _("cancelled by"), _cancelled(run)
    yield "host", _("host"), run.host
    yield "queue", _("queue"), _queue(run)
    yield "handed", _("handed over"), _handed(run)
    yield "heartbeat", _("heartbeat"), _heartbeat(run, now)
    yield "mail", _("mail"), _mail(run)


def _queue(run: Run) -> SafeString | str:
    """Give the queue, with how often a worker was told of the run, where once was not enough."""
    if not run.queue or run.hand_tries < 2:
        return run.queue
    text = ngettext("handed over %(count)d time", "handed over %(count)d times", run.hand_tries)
    return noted(run.queue, text % {"count": run.hand_tries})


def _handed(run: Run) -> SafeString | str:
    """Say when it was handed over, and for how long it waited for a worker then."""
    if run.handed_at is None:
        return ""
    if run.started_at is None:
        return presentation.moment(run.handed_at)
    wait = max(timedelta(0), run.started_at - run.handed_at)
    return noted(presentation.moment(run.handed_at), _("%(span)s for a worker") % {"span": presentation.span(wait)})


def _heartbeat(run: Run, now: datetime) -> SafeString | str:
    if run.heartbeat_at is None or run.status != Status.RUNNING:
        return ""
    return noted(presentation.moment(run.heartbeat_at), presentation.countdown(run.heartbeat_at, now))


def link(run: Run, text: str = "") -> SafeString:
    """Give a link to a run, by its job and when it was due unless there is a better text."""
    address = reverse("admin:scheduler_bridge_run_change", args=[run.pk])
    return format_html(
        '<a href="{}">{}</a>', address, text or f"{run.job.name} {presentation.moment(run.scheduled_for)}"
    )


def exit_words(code: int | None) -> str:
    """Give an exit code with what it means, where it tells of a signal."""
    if code is None:
        return ""
    if code < 0:
        return _("killed by %(signal)s") % {"signal": signal_name(-code)}
    if SHELL_SIGNALS < code < SHELL_SIGNALS + 65:
        return _("%(code)s, as a shell says of %(signal)s") % {
            "code": code,
            "signal": signal_name(code - SHELL_SIGNALS),
        }
    return str(code)


def noted(text: str, note: str) -> SafeString:
    """Give a value with a quieter word about it."""
    return format_html('{} <span class="sb-note">{}</span>', text, note)


def _started(run: Run) -> SafeString | str:
    if run.started_at is None:
        return ""
    late = max(timedelta(0), run.started_at - run.scheduled_for)
    note = _("on time") if late < PUNCTUAL else _("late by %(span)s") % {"span": presentation.span(late)}
    return noted(presentation.moment(run.started_at), note)


def _duration(run: Run) -> SafeString | str:
    """Give how long it took, or may take, with how long runs of this job usually take."""
    usual = _usual(run) if run.started_at else None
    note = "" if usual is None else _("usually %(span)s") % {"span": presentation.span(usual)}
    if run.finished_at is None or run.started_at is None:
        return note
    return noted(presentation.duration(run), note)


def _usual(run: Run) -> timedelta | None:
    """Give how long runs of this job usually take, where there have been enough of them."""
    usual = past.usual(past.recent([run.job_id]).get(run.job_id, ()))
    return usual.median if usual.count >= ENOUGH else None


def _cpu(run: Run) -> SafeString | str:
    if run.cpu_seconds is None:
        return ""
    if run.cpu_seconds < 1:
        return _("%(number)d ms") % {"number": round(1000 * run.cpu_seconds)}
    cpu = timedelta(seconds=run.cpu_seconds)
    if run.started_at is None or run.finished_at is None or run.finished_at <= run.started_at:
        return presentation.span(cpu)
    share = round(100 * cpu / (run.finished_at - run.started_at))
    return noted(presentation.span(cpu), _("%(percent)s %% of one processor") % {"percent": share})


def _memory(run: Run) -> SafeString | str:
    if run.peak_memory is None:
        return ""
    return noted(filesizeformat(run.peak_memory), _("of its largest process"))


def _cancelled(run: Run) -> SafeString | str:
    if run.cancel_at is None:
        return ""
    return noted(run.cancel_by or _("a program"), presentation.moment(run.cancel_at))


def _mail(run: Run) -> str:
    return presentation.mail(run) if run.report else ""
