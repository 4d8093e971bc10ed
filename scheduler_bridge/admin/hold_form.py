"""The form that puts the runner on hold."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy

from . import ends

REASON: Final = 500  # characters


class HoldForm(forms.Form):
    """Why nothing is to be started, and until when."""

    reason = forms.CharField(label=gettext_lazy("Reason"), required=False, max_length=REASON)
    until = ends.EndField(
        label=gettext_lazy("Until"),
        help_text=gettext_lazy('Such as "Monday 08:00", "18:30" or "2 hours"; empty: until somebody resumes.'),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"auto_id": "sb-%s", **options})
