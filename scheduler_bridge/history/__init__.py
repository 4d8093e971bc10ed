"""The only writer of Run: claim, close, skip, abandon, prune.

Each function is one transaction or one statement; none checks first and acts later.
"""

from .breaking import report_broken
from .cancel import ask_to_end, cancelled, find, take_out, to_end
from .claim import claim
from .close import abandon, break_off, close, is_failure, open_runs, show_output
from .failing import forget
from .firing import PRIORITY, Firing, Queued
from .hand_over import (
    Away,
    Sign,
    chained_after,
    hand_over,
    handed,
    is_any_handed,
    is_busy,
    keep,
    look_again,
    lost,
    postpone,
    redirect,
    release_lost,
    signs,
    to_look_at,
    told,
)
from .mending import mended
from .prune import prune
from .queue import all_queued, enqueue, queued
from .report import next_report_at, report_failed, report_sent, reports_due
from .rows import one_line
from .skip import skip, skip_covered
from .take_up import beat, give_back, skip_away, take_up, waiting, wish_to_end

__all__ = [
    "PRIORITY",
    "Away",
    "Firing",
    "Queued",
    "Sign",
    "abandon",
    "all_queued",
    "ask_to_end",
    "beat",
    "break_off",
    "cancelled",
    "chained_after",
    "claim",
    "close",
    "enqueue",
    "find",
    "forget",
    "give_back",
    "hand_over",
    "handed",
    "is_any_handed",
    "is_busy",
    "is_failure",
    "keep",
    "look_again",
    "lost",
    "mended",
    "next_report_at",
    "one_line",
    "open_runs",
    "postpone",
    "prune",
    "queued",
    "redirect",
    "release_lost",
    "report_broken",
    "report_failed",
    "report_sent",
    "reports_due",
    "show_output",
    "signs",
    "skip",
    "skip_away",
    "skip_covered",
    "take_out",
    "take_up",
    "to_end",
    "to_look_at",
    "told",
    "waiting",
    "wish_to_end",
]
