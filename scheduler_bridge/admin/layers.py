"""What the code says of a job, what the settings say, what was changed here, and what holds: side by side."""

import shlex
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import conf, engine, schedules
from ..conf import UNSET, SettingsOverride, Unset
from ..models import Job
from ..plan import JobPlan, Source, Sourced, database_schedule
from . import presentation

SOURCES: Final = {
    Source.DEFAULT: gettext_lazy("default"),
    Source.CODE: gettext_lazy("code"),
    Source.SETTINGS: gettext_lazy("settings"),
    Source.DATABASE: gettext_lazy("changed here"),
}


def table(plan: JobPlan, row: Job) -> SafeString:
    """Give the table of all values of a job, with the layer that said the one that holds."""
    words = ("", _("code"), _("settings"), _("changed here"), _("effective"))
    head = format_html_join("", '<th scope="col">{}</th>', ((text,) for text in words))
    line = '<tr><th scope="row">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>'
    body = format_html_join("", line, _rows(plan, row))
    problem = '<tr><th scope="row">{}</th><td colspan="4">{}</td></tr>'
    problems = format_html_join("", problem, ((_("problem"), text) for text in plan.problems))
    whole = '<table class="sb-table sb-layers"><thead><tr>{}</tr></thead><tbody>{}{}</tbody></table>{}'
    return format_html(whole, head, body, problems, _changed(row))


def sourced(words: str, source: Source) -> SafeString:
    """Give a value with the layer it comes from."""
    return format_html('{} <span class="sb-quiet">({})</span>', words, SOURCES[source])


def _rows(plan: JobPlan, row: Job) -> Iterator[tuple[Any, ...]]:
    definition = plan.definition
    override = conf.load().overrides.get(plan.name, SettingsOverride())
    settings_schedule = "-" if plan.settings_schedule is None else schedules.words(plan.settings_schedule)
    effective = sourced(schedules.words(plan.schedule.value), plan.schedule.source)
    yield _("schedule"), schedules.words(plan.code_schedule), settings_schedule, _override(row), effective
    yield _row(_("enabled"), UNSET, override.enabled, plan.enabled, _switch(row, plan))
    if definition.internal:
        yield _("timeout"), "-", "-", "-", _("none: it runs in the runner's process")
    else:
        yield _row(_("timeout"), definition.timeout, override.timeout, plan.timeout)
    yield _row(_("arguments"), definition.args, override.args, plan.args)
    if not definition.internal and _has_queue(plan, row, override):
        yield _("queue"), *map(_queue, (definition.queue, override.queue)), _here(row), _effective_queue(plan)
    notify = definition.notify_on_success
    mails = _words(row.notify_on_success) if plan.notify_on_success.source == Source.DATABASE else "-"
    yield _row(_("mail successful runs too"), notify, override.notify_on_success, plan.notify_on_success, mails)


def _has_queue(plan: JobPlan, row: Job, override: SettingsOverride) -> bool:
    """Tell whether there is an engine, or somebody names a queue though there is none."""
    is_named = bool(plan.definition.queue) or row.override_queue is not None
    return engine.is_used() or is_named or not isinstance(override.queue, Unset)


def _queue(value: str | Unset | None) -> str:
    """Say the queue that the code or the settings name; code that names none says nothing."""
    if isinstance(value, Unset) or value == "":
        return "-"
    return queue_words(value)


def queue_words(name: str | None) -> str:
    """Say where a job runs."""
    return name or _("none: in the runner")


def _here(row: Job) -> str:
    return "-" if row.override_queue is None else queue_words(row.override_queue)


def _effective_queue(plan: JobPlan) -> SafeString:
    if not engine.is_used():
        return format_html('{} <span class="sb-quiet">({})</span>', queue_words(""), _("there is no engine"))
    return sourced(queue_words(plan.queue.value), plan.queue.source)


def _row(title: str, code: Any, settings: Any, effective: Sourced[Any], here: Any = "-") -> tuple[Any, ...]:
    return title, _words(code), _words(settings), here, sourced(_words(effective.value), effective.source)


def _override(row: Job) -> str | SafeString:
    schedule, _problems = database_schedule(row)
    if schedule is None:
        return "-"
    return _explained(schedules.words(schedule), row.override_reason, row.override_until)


def _switch(row: Job, plan: JobPlan) -> str | SafeString:
    if plan.enabled.source != Source.DATABASE and not row.disabled_until and not row.disabled_reason:
        return "-"
    return _explained(_words(row.enabled), row.disabled_reason, row.disabled_until)


def _explained(words: str, reason: str, until: Any) -> SafeString:
    """Give a value with why a person chose it, and until when."""
    end = _("until %(moment)s") % {"moment": presentation.moment(until)} if until else ""
    notes = ((note,) for note in (reason, end) if note)
    return format_html("{}{}", words, format_html_join("", '<span class="sb-small">{}</span>', notes))


def _changed(row: Job) -> SafeString:
    if row.changed_at is None:
        return SafeString()
    values = {"who": row.changed_by or _("a program"), "moment": presentation.moment(row.changed_at)}
    text = _("last changed here by %(who)s at %(moment)s") % values
    return format_html('<p class="sb-quiet">{}</p>', text)


def _words(value: object) -> str:
    match value:
        case Unset():
            return "-"
        case None:
            return _("no limit")
        case bool():
            return _("yes") if value else _("no")
        case timedelta():
            return schedules.interval_words(value) or str(value)
        case tuple():
            return shlex.join(value) or _("none")
        case _:
            return str(value)
