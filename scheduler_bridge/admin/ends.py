"""A field for the end of something: typed as a person says it, in the zone of the scheduler."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .. import conf, schedules, until
from ..exceptions import ScheduleError


class EndInput(forms.TextInput):
    """A line to type in, with a few ends to choose from."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        proposals = f"{(attrs or {}).get('id', name)}_proposals"
        line = super().render(name, value, {**(attrs or {}), "list": proposals}, renderer)
        words = (
            "18:30",
            f"{_('tomorrow')} 08:00",
            f"{WEEKDAYS[0]} 08:00",
            schedules.interval_words(timedelta(hours=2)),
        )
        options = format_html_join("", '<option value="{}"></option>', ((word,) for word in words))
        return format_html('{}<datalist id="{}">{}</datalist>', line, proposals, options)


class EndField(forms.CharField):
    """An end that may be left empty; gives the moment in UTC, or None.

    What stands there unchanged stays the moment that it is, though its text may be that of two moments.
    """

    widget = EndInput

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=80, **options)
        self.kept: datetime | None = None

    def keep(self, moment: datetime | None) -> str:
        """Take a moment as the one that stands there, and give its text."""
        self.kept = moment
        return "" if moment is None else until.typed(moment, conf.load().time_zone)

    def clean(self, value: Any) -> Any:
        text, now = super().clean(value), datetime.now(UTC)
        if not text:
            return None
        if self.kept is not None and self.kept > now and text == self.keep(self.kept):
            return self.kept
        try:
            return until.parse(text, now, conf.load().time_zone)
        except ScheduleError as error:
            raise forms.ValidationError(str(error)) from error


def explained() -> str:
    """Say what may be typed, and in which zone it counts."""
    text = _('Such as "Monday 08:00", "18:30" or "2026-12-01 08:00", in %(zone)s; empty: until somebody changes it.')
    return text % {"zone": conf.load().time_zone}
