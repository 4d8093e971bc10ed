"""The field of a job's form that says where its runs go: to a queue of the engine, or nowhere."""

from copy import copy
from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import engine, queues, registry
from ..accepted import is_queue
from ..models import Job
from ..plan import Sourced
from . import layers

AS_SAID: Final = ""  # as the code and the settings say
LOCAL: Final = "-"
TO: Final = ":"  # stands before the name of a queue, which may be any


class QueueField(forms.ChoiceField):
    """Offers what the engine is set up for; a name is never typed."""

    def __init__(self, **options: Any) -> None:
        text = gettext_lazy("Which workers perform its runs. A run that waits goes there too; one that runs goes on.")
        super().__init__(**{"help_text": text, **options})

    def offer(self, row: Job) -> str:
        """Offer what this job can be sent to, and give what is chosen now."""
        names = {*queues.choices(), *([row.override_queue] if row.override_queue else [])}
        said = _("as the code and the settings say (%(queue)s)") % {"queue": layers.queue_words(without(row).value)}
        local = (LOCAL, _("in the runner itself"))
        self.choices = [(AS_SAID, said), local, *((f"{TO}{name}", name) for name in sorted(names) if is_queue(name))]
        if row.override_queue is None:
            return AS_SAID
        return f"{TO}{row.override_queue}" if row.override_queue else LOCAL


def is_offered(row: Job) -> bool:
    """Tell whether this job could run elsewhere."""
    return engine.is_used() and not registry.plan_of(row).definition.internal


def override(row: Job, chosen: str) -> str | None:
    """Give the column for a choice; one that is equal to what holds without it is none."""
    if chosen == AS_SAID:
        return None
    name = "" if chosen == LOCAL else chosen.removeprefix(TO)
    return None if name == without(row).value else name


def without(row: Job) -> Sourced[str]:
    """Give what holds for this job without a choice made here."""
    plain = copy(row)
    plain.override_queue = None
    return registry.plan_of(plain).queue
