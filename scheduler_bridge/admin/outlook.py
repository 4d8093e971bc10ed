"""How the forecast of the one worker looks on a page: how busy it is, and which jobs start how late behind which."""

import re
from datetime import timedelta
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from ..forecast import Shift
from . import job_list, presentation
from .preview import LEAST, Outlook

NAMED: Final = 3  # jobs that another waits behind


def context(outlook: Outlook, own_id: int) -> dict[str, Any]:
    """Give what the template needs."""
    return {
        "busy": _busy(outlook),
        "late": [_row(shift, own_id) for shift in outlook.late],
        "note": _("Until %(moment)s, as long as each job takes as usual.")
        % {"moment": presentation.moment(outlook.until)},
    }


def _busy(outlook: Outlook) -> str:
    before, after = job_list.percent(outlook.busy_before), job_list.percent(outlook.busy_after)
    if outlook.busy_before == outlook.busy_after:
        return _("The one worker is busy %(share)s of the time.") % {"share": before}
    values = {"before": before, "after": after}
    return _("The one worker is busy %(before)s of the time now, and %(after)s after the change.") % values


def _row(shift: Shift, own_id: int) -> dict[str, Any]:
    wait = shift.after or shift.before
    return {
        "job_id": shift.job_id,
        "name": _breakable(shift.name),
        "is_own": shift.job_id == own_id,
        "before": _late(shift.before.late if shift.before else None),
        "after": _late(shift.after.late if shift.after else None),
        "way": "sb-later" if shift.by >= LEAST else "sb-earlier" if shift.by <= -LEAST else "",
        "behind": _behind(wait.behind if wait else ()),
    }


def _breakable(name: str) -> SafeString:
    """Give a name that may be broken where its words end."""
    words = re.split(r"(?<=[._])", name)
    return format_html_join(SafeString("<wbr>"), "{}", ((word,) for word in words))


def _late(span: timedelta | None) -> str:
    if span is None:
        return "-"
    return presentation.span(span) if span >= LEAST else _("in time")


def _behind(names: tuple[str, ...]) -> SafeString:
    listed = format_html_join(", ", "{}", ((_breakable(name),) for name in names[:NAMED]))
    if len(names) <= NAMED:
        return listed
    return format_html("{} {}", listed, _("and %(number)d more") % {"number": len(names) - NAMED})
