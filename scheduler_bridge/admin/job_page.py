"""What the page of one job shows beside its form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.urls import reverse
from django.utils import formats
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import coming, conf, discovery, past, registry, schedules
from ..coming import Coming
from ..models import FAILURES, Job, Run
from ..past import PastRun
from ..plan import JobPlan
from . import changes_log, chart, job_list, layers, light, presentation, queue_words
from . import outlook as outlooks
from . import preview as previews

HISTORY: Final = 20  # runs in the table
FIRES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing to know at a glance."""

    title: str
    value: Any
    notes: tuple[Any, ...] = ()


def context(job: Job, now: datetime) -> dict[str, Any]:
    """Give what the template needs, read only; the row is taken as it is saved."""
    plan, runs = registry.plan_of(job), past.recent([job.pk], chart.COUNT).get(job.pk, ())
    usual = past.usual(runs)
    state = light.state(job, runs, now)
    return {
        "job": job,
        "lamp": light.lamp(state),
        "state": light.WORDS[state],
        # One line is a sentence that says by itself what is wrong; more are the traceback of a command.
        "is_loaded": "\n" not in job.broken.strip(),
        "broken": presentation.output(job.broken) if job.broken else "",
        "facts": [_next(job, plan, now), *_past_facts(job, runs, now), *_kind(plan)],
        "chart": chart.drawn(runs, usual.median, now, job_list.runs_address(job.pk)),
        "unserved": queue_words.warning(plan, now),
        "layers": layers.table(plan, job),
        "fires": fires(coming.fires(job, now, FIRES), now),
        "zone": conf.load().time_zone,
        "history": presentation.history(Run.objects.filter(job=job).defer("output", "warning")[:HISTORY], job.pk),
        "log": [(presentation.moment(entry.at), entry.who, entry.lines) for entry in changes_log.last(job)],
        "can_skip_next": _can_skip(job, now),
        "is_next_left_out": is_next_left_out(job),
    }


def preview(before: Job, after: Job, now: datetime) -> dict[str, Any]:
    """Give what the template needs of a change that is not saved yet."""
    found = previews.of(before, after, now)
    return {
        "preview": True,
        "preview_changes": found.changes,
        "preview_fires": fires(found.fires, now),
        "is_change": True,
        **outlooks.context(found.outlook, before.pk),
    }


def outlook(job: Job, now: datetime) -> dict[str, Any]:
    """Give what the template needs of the hours to come as things are."""
    return {"outlook": True, **outlooks.context(previews.unchanged(now), job.pk)}


def is_next_left_out(job: Job) -> bool:
    """Tell whether a person wants the next fire time left out."""
    return job.skip_next_at is not None and job.skip_next_at == job.next_run_at


def fires(found: tuple[Coming, ...], now: datetime) -> SafeString:
    """Give fire times to come as a list, with what is out of the ordinary about each."""
    if not found:
        return format_html('<p class="sb-quiet">{}</p>', _("none: it does not run by itself"))
    line = '<li><time datetime="{}">{}</time><span class="sb-quiet">{}</span>{}</li>'
    rows = [(f"{item.at:%FT%TZ}", _weekday(item.at), _day(item.at, now), _fire_notes(item)) for item in found]
    return format_html('<ol class="sb-fires">{}</ol>', format_html_join("", line, rows))


def _fire_notes(item: Coming) -> SafeString:
    notes = []
    if item.clock_change:
        span = schedules.interval_words(abs(item.clock_change))
        text = _("clocks go forward %(span)s") if item.clock_change > timedelta(0) else _("clocks go back %(span)s")
        notes.append((text % {"span": span},))
    if item.is_left_out:
        notes.append((_("left out"),))
    return format_html_join("", '<span class="sb-note">{}</span>', notes)


def _weekday(moment: datetime) -> str:
    local = conf.load().local(moment).replace(tzinfo=None)
    return formats.date_format(local, "D Y-m-d H:i:s" if local.second else "D Y-m-d H:i")


def _day(moment: datetime, now: datetime) -> str:
    days = (conf.load().local(moment).date() - conf.load().local(now).date()).days
    if days < 2:
        return _("tomorrow") if days else _("today")
    return ngettext("in %(days)d day", "in %(days)d days", days) % {"days": days}


def _next(job: Job, plan: JobPlan, now: datetime) -> Fact:
    title, moment = _("Next run"), job.next_run_at
    if moment is not None:
        notes: tuple[Any, ...] = (presentation.countdown(moment, now),)
        if is_next_left_out(job):
            by = {"who": job.skip_next_by or _("a program")}
            notes = (*notes, format_html('<span class="sb-note">{}</span>', _("left out, as %(who)s asked") % by))
        return Fact(title=title, value=presentation.near(moment, now), notes=notes)
    if not plan.enabled.value:
        return Fact(title=title, value=_("disabled"), notes=tuple(_why_disabled(job)))
    return Fact(title=title, value="-", notes=(schedules.words(plan.schedule.value),))


def _why_disabled(job: Job) -> Iterator[str]:
    if job.disabled_until is not None:
        yield _("until %(moment)s") % {"moment": presentation.moment(job.disabled_until)}
    if job.disabled_reason:
        yield job.disabled_reason


def _past_facts(job: Job, runs: tuple[PastRun, ...], now: datetime) -> Iterator[Fact]:
    usual, everything = past.usual(runs), job_list.runs_address(job.pk)
    if usual.median is not None:
        high = _("95 of 100 take at most %(span)s") % {"span": presentation.span(usual.p95)}
        link = _link(everything, presentation.span(usual.median))
        yield Fact(title=_("Usual duration"), value=link, notes=(high,))
    if usual.success_rate is not None:
        yield Fact(
            title=_("Succeeded"),
            value=_link(f"{everything}&status__exact=succeeded", job_list.percent(usual.success_rate)),
            notes=tuple(_counts(runs, usual.count, everything)),
        )
    if job.failing_since is not None:
        notes = (presentation.countdown(job.failing_since, now),)
        since = f"{everything}&from={conf.load().local(job.failing_since).date()}"
        value = _link(since, presentation.near(job.failing_since, now))
        yield Fact(title=_("Failing since"), value=value, notes=notes)


def _counts(runs: tuple[PastRun, ...], count: int, everything: str) -> Iterator[SafeString]:
    """Say of how many runs a share is one, and how many ended otherwise, each with a link to them."""
    text = ngettext("of %(count)d run", "of the last %(count)d runs", count) % {"count": count}
    yield _link(everything, text)
    for status in FAILURES:
        number = sum(run.status == status for run in runs)
        if number:
            yield _link(f"{everything}&status__exact={status}", f"{number} {status.label}")


def _kind(plan: JobPlan) -> Iterator[Fact]:
    where = _("in the runner's process") if plan.definition.internal else _("in a process of its own")
    if plan.queue.value:
        where = _("in queue %(queue)s of the engine") % {"queue": plan.queue.value}
    before, after = _chain(plan)
    notes: list[Any] = []
    if before:
        notes.append(format_html("{} {}", _("after"), _jobs(before)))
    if after:
        notes.append(format_html("{} {}", _("followed by"), _jobs(after)))
    yield Fact(title=_("Runs"), value=where, notes=tuple(notes))


def _chain(plan: JobPlan) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Give the jobs that this one follows and those that follow it, by their names, with their ids."""
    found = discovery.discover()
    before = {
        name
        for name, definition in found.definitions.items()
        if plan.name in (found.resolve(text) for text in definition.next_jobs)
    }
    after = {found.resolve(text) for text in plan.definition.next_jobs}
    names = [name for name in before | after if name is not None]
    ids = dict(Job.objects.filter(name__in=names).values_list("name", "pk")) if names else {}
    first, second = ({name: pk for name, pk in ids.items() if name in some} for some in (before, after))
    return first, second


def _jobs(found: Mapping[str, int]) -> SafeString:
    links = ((_link(reverse("admin:scheduler_bridge_job_change", args=[pk]), name),) for name, pk in found.items())
    return format_html_join(", ", "{}", links)


def _link(address: str, text: str) -> SafeString:
    return format_html('<a href="{}">{}</a>', address, text)


def _can_skip(job: Job, now: datetime) -> bool:
    is_coming = job.next_run_at is not None and job.next_run_at > now
    return is_coming and job.enabled and job.removed_at is None and not is_next_left_out(job)
