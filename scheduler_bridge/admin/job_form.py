"""The form of a job: its switch, its mails, and an override that is typed as text, each with a reason and an end."""

from collections.abc import Sequence
from copy import copy
from typing import Any, Final

from django import forms
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import plan, registry, schedules
from ..exceptions import ScheduleError
from ..models import Job
from ..plain import one_line
from ..schedules import DailyTimes, Interval
from . import ends, queue_field

REASON: Final = 500  # characters
SWITCH: Final = ("disabled_reason", "disabled_until")
OVERRIDE: Final = ("override_reason", "override_until")
_explained = lazy(ends.explained, str)


class JobForm(forms.ModelForm):
    """What a person may change of a job; an override equal to what holds without it is kept as none.

    Once it is valid, ``instance`` is the job as wanted; ``before`` is the job as it was.
    """

    disabled_reason = forms.CharField(label=gettext_lazy("Why disabled"), required=False, max_length=REASON)
    disabled_until = ends.EndField(label=gettext_lazy("Disabled until"), help_text=_explained())
    interval_text = forms.CharField(
        label=gettext_lazy("Run every"),
        required=False,
        help_text=gettext_lazy('Such as "45 minutes" or "1:30:00"; empty: as the code says.'),
    )
    times_text = forms.CharField(
        label=gettext_lazy("Run at"),
        required=False,
        help_text=gettext_lazy('Such as "09:30, 18:30"; empty: as the code says.'),
    )
    override_reason = forms.CharField(label=gettext_lazy("Why changed"), required=False, max_length=REASON)
    override_until = ends.EndField(label=gettext_lazy("Changed until"), help_text=_explained())
    queue = queue_field.QueueField(label=gettext_lazy("Queue"), required=False)

    class Meta:
        model = Job
        fields = ("enabled", *SWITCH, *OVERRIDE, "notify_on_success")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.before: Job = copy(self.instance)
        self._wanted: Interval | DailyTimes | None = None
        if self.before.override_interval is not None:
            self.initial["interval_text"] = schedules.interval_words(self.before.override_interval)
        if self.before.override_times:
            self.initial["times_text"] = _as_typed(self.before.override_times)
        if queue_field.is_offered(self.before):
            queue: Any = self.fields["queue"]
            self.initial["queue"] = queue.offer(self.before)
        else:
            del self.fields["queue"]
        for name in (SWITCH[1], OVERRIDE[1]):
            field: Any = self.fields[name]
            self.initial[name] = field.keep(getattr(self.before, name))

    def clean_interval_text(self) -> Interval | None:
        text = self.cleaned_data["interval_text"]
        try:
            return schedules.parse_interval_text(text) if text.strip() else None
        except ScheduleError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_times_text(self) -> DailyTimes | None:
        text = self.cleaned_data["times_text"]
        try:
            return schedules.parse_times_text(text) if text.strip() else None
        except ScheduleError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_disabled_reason(self) -> str:
        return one_line(self.cleaned_data["disabled_reason"], REASON)

    def clean_override_reason(self) -> str:
        return one_line(self.cleaned_data["override_reason"], REASON)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if values.get("interval_text") and values.get("times_text"):
            self.add_error("times_text", _("Give an interval or times of day, not both."))
        if values.get("enabled"):
            self._take_out(SWITCH, _("Only a disabled job has this. Untick “enabled”, or leave it empty."))
        if not {"interval_text", "times_text"} & self.errors.keys():
            self._want(values.get("interval_text") or values.get("times_text"))
        return values

    def _want(self, typed: Interval | DailyTimes | None) -> None:
        """Note the override, unless the job runs so without one."""
        holding = registry.plan_of(self.before)
        same = typed is not None and typed == (holding.settings_schedule or holding.code_schedule)
        self._wanted = None if same else typed
        if self._wanted is None:
            text = _("Only an interval or times of day given here have this. Give some, or leave it empty.")
            if same:
                text = _("The job runs so without a change here, and that has no reason and no end. Leave it empty.")
            self._take_out(OVERRIDE, text)

    def _take_out(self, names: Sequence[str], text: str) -> None:
        """Take a reason and an end out with what they belonged to; newly typed ones are refused."""
        for name in names:
            if name in self.changed_data and self.cleaned_data.get(name):
                self.add_error(name, text)
            else:
                self.cleaned_data[name] = None if name.endswith("_until") else ""

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and not self.errors:
            wanted = self._wanted
            self.instance.override_interval = wanted.every if isinstance(wanted, Interval) else None
            self.instance.override_times = plan.times_column(wanted) if isinstance(wanted, DailyTimes) else None
            if "queue" in self.cleaned_data:
                self.instance.override_queue = queue_field.override(self.before, self.cleaned_data["queue"])


class PreviewForm(JobForm):
    """The form when only the consequences are asked for: what is typed is checked, and never good enough to save."""

    def is_valid(self) -> bool:
        super().is_valid()
        return False


def _as_typed(times: list[str]) -> str:
    """Give times of day as a person types them: without seconds where there are none."""
    return ", ".join(
        str(moment).removesuffix(":00") if str(moment).count(":") == 2 else str(moment) for moment in times
    )
