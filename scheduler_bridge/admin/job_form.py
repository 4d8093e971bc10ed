"""The form of a job: enabled, mail, and an override that is typed as text."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .. import plan, registry, schedules
from ..exceptions import ScheduleError
from ..models import Job


class JobForm(forms.ModelForm):
    """What a person may change of a job; an override equal to what holds without it is kept as none."""

    interval_text = forms.CharField(
        label=_("Run every"), required=False, help_text=_('Such as "45 minutes" or "1:30:00"; empty: as the code says.')
    )
    times_text = forms.CharField(
        label=_("Run at"), required=False, help_text=_('Such as "09:30, 18:30"; empty: as the code says.')
    )

    class Meta:
        model = Job
        fields = ("enabled", "notify_on_success")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.override_interval is not None:
            self.initial["interval_text"] = schedules.interval_words(self.instance.override_interval)
        if self.instance.override_times:
            self.initial["times_text"] = _as_typed(self.instance.override_times)

    def clean_interval_text(self) -> schedules.Interval | None:
        text = self.cleaned_data["interval_text"]
        try:
            return schedules.parse_interval_text(text) if text.strip() else None
        except ScheduleError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_times_text(self) -> schedules.DailyTimes | None:
        text = self.cleaned_data["times_text"]
        try:
            return schedules.parse_times_text(text) if text.strip() else None
        except ScheduleError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("interval_text") and values.get("times_text"):
            self.add_error("times_text", _("Give an interval or times of day, not both."))
        return values

    def save(self, commit: bool = True) -> Any:
        wanted = self.cleaned_data["interval_text"] or self.cleaned_data["times_text"]
        effective = registry.plan_of(self.instance)
        if wanted == (effective.settings_schedule or effective.code_schedule):
            wanted = None
        is_interval = isinstance(wanted, schedules.Interval)
        self.instance.override_interval = wanted.every if is_interval else None
        self.instance.override_times = None if wanted is None or is_interval else plan.times_column(wanted)
        return super().save(commit)


def _as_typed(times: list[str]) -> str:
    """Give times of day as a person types them: without seconds where there are none."""
    return ", ".join(
        str(moment).removesuffix(":00") if str(moment).count(":") == 2 else str(moment) for moment in times
    )
