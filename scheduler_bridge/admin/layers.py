"""What the code says of a job, what the settings say, and what holds: side by side."""

import shlex
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import conf, schedules
from ..conf import UNSET, SettingsOverride, Unset
from ..plan import JobPlan, Source, Sourced

SOURCES = {
    Source.DEFAULT: gettext_lazy("default"),
    Source.CODE: gettext_lazy("code"),
    Source.SETTINGS: gettext_lazy("settings"),
    Source.DATABASE: gettext_lazy("changed here"),
}


def table(plan: JobPlan) -> SafeString:
    """Give the table of all values of a job, with the layer that said the one that holds."""
    head = format_html_join("", "<th>{}</th>", ((text,) for text in ("", _("code"), _("settings"), _("effective"))))
    body = format_html_join("", "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>", _rows(plan))
    problem = '<tr><th>{}</th><td colspan="3">{}</td></tr>'
    problems = format_html_join("", problem, ((_("problem"), text) for text in plan.problems))
    return format_html('<table class="sb-table"><tr>{}</tr>{}{}</table>', head, body, problems)


def sourced(words: str, source: Source) -> SafeString:
    """Give a value with the layer it comes from."""
    return format_html('{} <span class="sb-quiet">({})</span>', words, SOURCES[source])


def _rows(plan: JobPlan) -> Iterator[tuple[Any, ...]]:
    definition = plan.definition
    override = conf.load().overrides.get(plan.name, SettingsOverride())
    settings_schedule = "-" if plan.settings_schedule is None else schedules.words(plan.settings_schedule)
    effective = sourced(schedules.words(plan.schedule.value), plan.schedule.source)
    yield _("schedule"), schedules.words(plan.code_schedule), settings_schedule, effective
    yield _row(_("enabled"), UNSET, override.enabled, plan.enabled)
    if definition.internal:
        yield _("timeout"), "-", "-", _("none: it runs in the runner's process")
    else:
        yield _row(_("timeout"), definition.timeout, override.timeout, plan.timeout)
    yield _row(_("arguments"), definition.args, override.args, plan.args)
    notify = definition.notify_on_success
    yield _row(_("mail successful runs too"), notify, override.notify_on_success, plan.notify_on_success)


def _row(title: str, code: Any, settings: Any, effective: Sourced[Any]) -> tuple[Any, ...]:
    return title, _words(code), _words(settings), sourced(_words(effective.value), effective.source)


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
