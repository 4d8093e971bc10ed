"""The bar about the runner: its state, what is known of it, what to do, and the hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import conf, until
from ..diagnosis import RunnerState
from ..overview import Code, Hold, Presence
from . import presentation

WORDS: Final = {
    RunnerState.ALIVE: gettext_lazy("alive"),
    RunnerState.STALLED: gettext_lazy("the loop stalls"),
    RunnerState.ABSENT: gettext_lazy("no runner is alive"),
}
START: Final = "manage.py runapscheduler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """What the bar shows."""

    state: RunnerState
    word: str
    facts: tuple[tuple[str, Any], ...]
    advice: tuple[str, ...]
    hold: str  # empty: not on hold
    hold_reason: str
    hold_end: str
    unsent: int


def banner(found: Presence, now: datetime) -> Banner:
    """Say in words what is known of the processes."""
    return Banner(
        state=found.state,
        word=str(WORDS[found.state]),
        facts=tuple(_facts(found, now)),
        advice=tuple(_advice(found, now)),
        hold=hold_words(found.hold, now) if found.hold else "",
        hold_reason=found.hold.reason if found.hold else "",
        hold_end=hold_end(found.hold, now) if found.hold else "",
        unsent=found.unsent,
    )


def hold_words(hold: Hold, now: datetime) -> str:
    """Say since when the runner is on hold, and who wants it."""
    values = {"at": presentation.near(hold.since, now), "by": hold.by or _("a program")}
    return _("On hold since %(at)s by %(by)s") % values


def hold_end(hold: Hold, now: datetime) -> str:
    """Say when a hold ends."""
    if hold.until is None:
        return _("It ends when somebody resumes.")
    return _("It ends by itself: %(until)s.") % {"until": _day_and_time(hold.until, now)}


def _day_and_time(moment: datetime, now: datetime) -> str:
    """Say a moment with its day of the week, unless that is today or near."""
    local = conf.load().local(moment)
    if abs((local.date() - conf.load().local(now).date()).days) <= 1:
        return presentation.near(moment, now)
    return f"{WEEKDAYS[local.weekday()]} {until.typed(moment, conf.load().time_zone)}"


def _facts(found: Presence, now: datetime) -> Iterator[tuple[str, Any]]:
    holder = found.holder
    if holder is not None:
        yield _("Host"), holder.host
        yield _("Process"), str(holder.pid)
        yield _("Since"), presentation.near(holder.since, now)
        yield _("Last heartbeat"), presentation.countdown(holder.heartbeat_at, now)
        if holder.loop_at is not None:
            yield _("Last turn of the loop"), presentation.countdown(holder.loop_at, now)
    waiting = [_("%(host)s process %(pid)s") % {"host": row.host, "pid": row.pid} for row in found.standbys]
    if holder is not None or waiting:
        yield _("Standby"), ", ".join(waiting) or _("none")


def _advice(found: Presence, now: datetime) -> Iterator[str]:
    match found.state:
        case RunnerState.ABSENT if found.standbys:
            yield _("Nothing is started. A standby takes over within 15 seconds after the last heartbeat.")
        case RunnerState.ABSENT:
            yield _("Nothing is started. Start the runner, best as a service: %(command)s") % {"command": START}
        case RunnerState.STALLED:
            yield _("Its process lives and starts nothing. Restart %(command)s.") % {"command": START}
    values = {"at": presentation.near(found.deployed_at, now)}
    match found.code:
        case Code.OTHER_HERE:
            yield _("The process that shows this page has other code than was deployed %(at)s: restart it.") % values
        case Code.NEW_HERE:
            yield _("The code of this page was never migrated, and a runner has other code: run manage.py migrate.")
        case Code.OLD_RUNNER:
            text = _("The runner is older than the code deployed %(at)s: if it does not restart by itself, restart it.")
            yield text % values
