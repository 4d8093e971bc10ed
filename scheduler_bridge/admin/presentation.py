"""How moments, spans, statuses and output look on the pages."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.urls import reverse
from django.utils import formats
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import conf
from ..models import Report, Run, Status
from ..plain import plain


def moment(value: datetime | None) -> str:
    """Give a moment in the reader's format, in the time zone of the scheduler."""
    if value is None:
        return "-"
    local = conf.load().local(value).replace(tzinfo=None)
    return formats.date_format(local, "Y-m-d H:i:s")


def near(value: datetime | None, now: datetime) -> str:
    """Give a moment as short as it can be understood: "today 18:30"; the date where it is further away."""
    if value is None:
        return "-"
    local = conf.load().local(value)
    days = (local.date() - conf.load().local(now).date()).days
    word = {0: _("today"), 1: _("tomorrow"), -1: _("yesterday")}.get(days)
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{word} {clock}" if word else moment(value)


def span(value: timedelta | None) -> str:
    """Give a span of time as a person reads it: "0.4 s", "3 min 20 s"."""
    if value is None:
        return "-"
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{formats.number_format(round(seconds, 1), 1)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def duration(run: Run | None) -> str:
    """Give how long a run took."""
    if run is None or run.started_at is None or run.finished_at is None:
        return "-"
    return span(run.finished_at - run.started_at)


def late_by(run: Run) -> str:
    """Give how much later than due a run started."""
    return "-" if run.started_at is None else span(max(timedelta(0), run.started_at - run.scheduled_for))


def status(run: Run | None) -> str | SafeString:
    """Give the status with its colour, which the style sheet knows."""
    if run is None:
        return "-"
    return format_html('<span class="sb-status sb-{}">{}</span>', run.status, Status(run.status).label)


def history(runs: Iterable[Run], job_id: int) -> str | SafeString:
    """Give the last runs of a job as a table, with a link to all of them."""
    rows = [
        (
            reverse("admin:scheduler_bridge_run_change", args=[run.pk]),
            moment(run.scheduled_for),
            status(run),
            run.get_cause_display(),
            duration(run),
            run.reason,
        )
        for run in runs
    ]
    if not rows:
        return "-"
    words = _("due"), _("status"), _("cause"), _("duration"), _("reason")
    head = format_html_join("", "<th>{}</th>", ((word,) for word in words))
    row = '<tr><td><a href="{}">{}</a></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>'
    everything = f"{reverse('admin:scheduler_bridge_run_changelist')}?job={job_id}"
    table = format_html('<table class="sb-table"><tr>{}</tr>{}</table>', head, format_html_join("", row, rows))
    return format_html('{}<p><a href="{}">{}</a></p>', table, everything, _("All runs of this job"))


def last_run(run: Run | None) -> str | SafeString:
    """Give how a run ended and how long it took."""
    if run is None:
        return "-"
    took = "" if run.started_at is None or run.finished_at is None else duration(run)
    return format_html('{} <span class="sb-quiet">{}</span>', status(run), took)


def mail(run: Run) -> str:
    """Give where the mail about a run stands, and how often it was refused."""
    if not run.report:
        return "-"
    values = {"state": run.get_report_display(), "tries": run.report_tries, "at": moment(run.report_at)}
    if run.report_tries == 0:
        return _("%(state)s %(at)s") % values
    text = _("%(state)s %(at)s, refused %(tries)s times")
    if run.report == Report.DUE:
        text = _("%(state)s, refused %(tries)s times, tried again at %(at)s")
    return text % values


def cause(run: Run) -> str | SafeString:
    """Give why a run was started, and who asked."""
    if not run.requested_by:
        return str(run.get_cause_display())
    return format_html('{} <span class="sb-quiet">({})</span>', run.get_cause_display(), run.requested_by)


def elsewhere(run: Run) -> str | SafeString:
    """Give where a run was handed over to; nothing of one of the runner's own."""
    if not run.queue:
        return ""
    text = _("queue %(queue)s at %(host)s") if run.host else _("queue %(queue)s")
    return format_html('<div class="sb-quiet">{}</div>', text % {"queue": run.queue, "host": run.host})


def output(text: str) -> SafeString:
    """Give output as text: escaped, without terminal codes and other control characters."""
    return format_html('<pre class="sb-output">{}</pre>', plain(text) or "-")


def countdown(value: datetime, now: datetime) -> SafeString:
    """Give how far away a moment is, which a script counts on where there is one: "in 12 min", "3 h ago"."""
    seconds = round((value - now).total_seconds())
    text = _("in %(span)s") if seconds > 0 else _("%(span)s ago")
    text %= {"span": _rough(abs(seconds))}
    return format_html('<time data-sb-countdown datetime="{}">{}</time>', f"{value.astimezone(UTC):%FT%TZ}", text)


def _rough(seconds: int) -> str:
    """Say a span in one unit, as the script does."""
    if seconds < 90:
        return _("%(number)d s") % {"number": seconds}
    if seconds < 90 * 60:
        return _("%(number)d min") % {"number": round(seconds / 60)}
    if seconds < 36 * 3600:
        return _("%(number)d h") % {"number": round(seconds / 3600)}
    days = round(seconds / 86400)
    return ngettext("%(number)d day", "%(number)d days", days) % {"number": days}


def whole(value: timedelta) -> str:
    """Give a span that goes on, in whole seconds: "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds}
    return _("%(seconds)d s") % {"seconds": seconds}


def about(value: timedelta | None) -> str:
    """Give a span by history, no more exact than it is known: "0.4 s", "48 s", "3 min 20 s"."""
    return span(value) if value is None or value < timedelta(seconds=10) else whole(value)


def clock(value: datetime | None, now: datetime) -> str:
    """Give a moment of today by its time alone, another as `near` does."""
    if value is None or conf.load().local(value).date() != conf.load().local(now).date():
        return near(value, now)
    local = conf.load().local(value)
    return f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"


def pill(status: Status) -> SafeString:
    """Give a status with its colour."""
    return format_html('<span class="sb-status sb-{}">{}</span>', status.value, status.label)
