"""The output of a run as its page shows it: in colours, apart from what was written behind it, beside a good one."""

from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .. import difference
from ..execution import ended
from ..models import FAILURES, Run, Status
from ..plain import plain
from .ansi import coloured

LOOKED_AT: Final = 500  # runs among which the last good one is looked for
TRIED: Final = 20  # good ones, until one has printed something


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a failed run said that the last good one did not."""

    good: Run
    difference: difference.Difference


def box(output: str) -> SafeString:
    """Give output in a box that can be scrolled, by keyboard too."""
    label = _("output")
    return format_html(
        '<pre class="sb-output" tabindex="0" role="group" aria-label="{}">{}</pre>', label, coloured(output)
    )


def parted(run: Run) -> tuple[str, tuple[str, ...]]:
    """Give the output of a run, and the processes that had to be ended."""
    output, names = ended.split(run.output)
    return output, tuple(plain(name) for name in names)


def compared(run: Run) -> Compared | None:
    """Set a failed run beside the last good one of its job; None where there is nothing to compare."""
    if run.status not in FAILURES or not run.output:
        return None
    good = _last_good(run)
    if good is None:
        return None
    found = difference.compare(ended.split(run.output)[0], good.output)
    return Compared(good=good, difference=found) if found.lines else None


def _last_good(run: Run) -> Run | None:
    """Give the last run of the job that ended well and printed something."""
    rows = Run.objects.filter(job=run.job_id, pk__lt=run.pk).order_by("-id")
    lately = rows.values_list("pk", "status")[:LOOKED_AT]
    good = [pk for pk, status in lately if status == Status.SUCCEEDED][:TRIED]
    return Run.objects.filter(pk__in=good).exclude(output="").order_by("-id").defer("warning").first()
