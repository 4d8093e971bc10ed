"""What the strips of the timeline say in words."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .. import conf
from ..models import Status
from ..timeline import Block, Cell, Strip, Tick, Worker
from . import presentation

NAMED = 3  # jobs by which a wait is explained
# Words of a fact: before it happens, and after.
STARTS = {True: gettext_lazy("starts"), False: gettext_lazy("started")}
WAITS = {True: gettext_lazy("waits"), False: gettext_lazy("waited")}
TAKES = {True: gettext_lazy("takes"), False: gettext_lazy("ran")}


def local(moment: datetime) -> datetime:
    """Give a moment as the clocks of the scheduler show it."""
    return conf.load().local(moment)


def day(moment: datetime) -> str:
    """Give the day as short as it can be understood."""
    return formats.date_format(moment.replace(tzinfo=None), "D j M")


def clock(moment: datetime) -> str:
    """Give the time of day."""
    return f"{local(moment):%H:%M:%S}"


def stretch(start: datetime, end: datetime) -> str:
    """Give a stretch of time; the second day only where it is another."""
    first, last = local(start), local(end)
    if first.date() == last.date():
        return f"{presentation.moment(start)} – {last:%H:%M:%S}"
    return f"{presentation.moment(start)} – {presentation.moment(end)}"


def clock_change(tick: Tick) -> str:
    """Say by how much the clock is changed."""
    words = presentation.span(abs(tick.change))
    if tick.change > timedelta(0):
        return _("clock forward %(span)s") % {"span": words}
    return _("clock back %(span)s") % {"span": words}


def percent(share: float) -> str:
    """Give a share; a little is not nothing."""
    return "< 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


def status(block: Block) -> str:
    """Give what became of a run."""
    return _("to come") if block.status is None else str(Status(block.status).label)


def told(block: Block) -> str:
    """Give what became of a run, or of several, and why."""
    if block.skips > 1:
        return f"{status(block)} ({times(block.skips)})"
    return f"{status(block)} ({block.count})" if block.count > 1 else status(block)


def bar(block: Block) -> str:
    """Say everything about one bar, a line for each fact."""
    return "\n".join(_facts(block))


def _facts(block: Block) -> Iterator[str]:
    if block.count > 1:
        yield f"{runs(block.count)}, {status(block)}"
        yield f"{_('due')}: {stretch(block.due, block.last_due)}"
    else:
        yield status(block) + (f": {block.reason}" if block.reason else "")
        yield f"{_('due')}: {presentation.moment(block.due)}"
        if block.started is not None:
            yield f"{STARTS[block.is_to_come]}: {clock(block.started)}"
    if block.skips > 1:
        last = _("the last one at %(moment)s") % {"moment": presentation.moment(block.ended)}
        yield f"{_('skipped')}: {times(block.skips)}, {last}"
    elif block.status == Status.SKIPPED:
        yield f"{_('waited')}: {presentation.span(block.ended - block.due if block.ended else None)}"
    else:
        yield f"{WAITS[block.is_to_come]}: {waited(block)}"
        if block.started is not None:
            yield f"{TAKES[block.is_to_come]}: {presentation.span(block.ran)}"
        if block.folded:
            yield f"{_('fire times folded in')}: {block.folded}"
    if block.behind:
        yield f"{_('behind')}: {behind(block.behind)}"


def waited(block: Block) -> str:
    """Give how long a run waited; of several the longest wait."""
    if block.count > 1:
        return up_to(block.longest)
    return presentation.span(block.waited)


def up_to(longest: timedelta) -> str:
    """Give the longest of several spans."""
    return _("up to %(span)s") % {"span": presentation.span(longest)}


def behind(names: tuple[str, ...]) -> str:
    """Name the jobs that were waited for, of many the first ones."""
    more = len(names) - NAMED
    found = ", ".join(names[:NAMED])
    return f"{found} {_('and %(number)d more') % {'number': more}}" if more > 0 else found


def cell(item: Cell) -> str:
    """Say what is in a part of a strip."""
    lines = [stretch(item.start, item.end), counted(item.count, item.failed, item.skips, is_to_come=item.is_to_come)]
    if item.longest >= timedelta(seconds=1):
        lines.append(f"{_('waited')}: {up_to(item.longest)}")
    if item.ran:
        lines.append(f"{_('ran')}: {presentation.span(item.ran)}")
    return "\n".join(lines)


def label(item: Strip) -> str:
    """Say what is on a strip."""
    said = [counted(item.runs, item.failed, item.skips)] if item.runs or item.skips else []
    if item.longest >= timedelta(seconds=1):
        said.append(_("waited up to %(span)s") % {"span": presentation.span(item.longest)})
    if item.planned:
        said.append(_("%(number)d to come") % {"number": item.planned})
    return f"{item.name}: {', '.join(said)}"


def worker(item: Worker) -> str:
    """Say how busy the worker was and will be."""
    said = []
    if item.share is not None:
        said.append(_("busy %(share)s of the time") % {"share": percent(item.share)})
    if item.share_to_come is not None:
        said.append(_("%(share)s of what is to come") % {"share": percent(item.share_to_come)})
    worker = _("worker")
    return f"{worker}: {', '.join(said)}"


def busy(item: Worker) -> str:
    """Say the same in short, where it is seen that it is about the worker."""
    said = [] if item.share is None else [_("busy %(share)s") % {"share": percent(item.share)}]
    if item.share_to_come is not None:
        said.append(_("%(share)s to come") % {"share": percent(item.share_to_come)})
    return ", ".join(said)


def busy_part(start: datetime, end: datetime, share: float) -> str:
    """Say how busy the worker was or will be for a while."""
    busy = _("busy")
    return f"{stretch(start, end)}\n{busy}: {percent(share)}"


def counted(count: int, failed: int, skips: int, *, is_to_come: bool = False) -> str:
    """Count runs, failures and skips, as far as there are any."""
    said = [_("%(number)d to come") % {"number": count} if is_to_come else runs(count)] if count else []
    if failed:
        said.append(ngettext("%(number)d failed", "%(number)d failed", failed) % {"number": failed})
    if skips:
        said.append(ngettext("%(number)d skipped", "%(number)d skipped", skips) % {"number": skips})
    return ", ".join(said)


def runs(count: int) -> str:
    """Count runs."""
    return ngettext("%(number)d run", "%(number)d runs", count) % {"number": count}


def times(count: int) -> str:
    """Count skips of one job."""
    return ngettext("%(number)d time", "%(number)d times", count) % {"number": count}
