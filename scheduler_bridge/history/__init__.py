"""The only writer of Run: claim, close, skip, abandon, prune.

Each function is one transaction or one statement; none checks first and acts later.
"""

from .claim import claim
from .close import abandon, close, is_failure, open_runs, show_output
from .firing import Firing, Queued
from .prune import prune
from .queue import enqueue, queued
from .report import next_report_at, report_failed, report_sent, reports_due
from .rows import one_line
from .skip import skip, skip_covered

__all__ = [
    "Firing",
    "Queued",
    "abandon",
    "claim",
    "close",
    "enqueue",
    "is_failure",
    "next_report_at",
    "one_line",
    "open_runs",
    "prune",
    "queued",
    "report_failed",
    "report_sent",
    "reports_due",
    "show_output",
    "skip",
    "skip_covered",
]
