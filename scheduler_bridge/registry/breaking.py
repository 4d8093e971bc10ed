"""A job whose trigger cannot be asked for fire times: what its row knows of that, and what it owes all the same."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any, Final

from .. import conf, ledger, plain
from ..discovery import module_source
from ..exceptions import TriggerError
from ..models import Job
from ..plan import JobPlan
from ..schedules import Custom, Schedule

TEXT_LIMIT: Final = 500  # characters of the column
DEPTH: Final = 8  # triggers inside of triggers that are looked at
# What is written when a trigger breaks, and when it answers again.
COLUMNS: Final = ("trigger_error", "set_aside", "schedule_key", "owed_since", "owed_before", "next_run_at")

# As this process saw it first: it has loaded that, whatever is deployed since.
_source = cache(module_source)


def is_known(row: Job, plan: JobPlan) -> bool:
    """Return whether the trigger of this plan is known to be of no use, so that it is not asked."""
    return bool(row.trigger_error) and row.schedule_key == plan.schedule_key


def may_be_asked(row: Job, plan: JobPlan) -> bool:
    """Return whether a trigger that broke may be tried again: one that was set aside only if its code is another."""
    return not row.set_aside or row.set_aside != source(plan.schedule.value)


def break_off(row: Job, plan: JobPlan, error: TriggerError, now: datetime) -> None:
    """Set what a row says of a trigger that broke at this moment, without writing it; what was due stays owed."""
    if row.next_run_at is None or row.next_run_at > now:
        row.next_run_at, row.owed_before = None, 0
    else:
        row.owed_before = max(1, row.owed_before) if row.next_run_at <= row.owed_since else 1
    row.owed_since, row.schedule_key = now, plan.schedule_key
    row.trigger_error = text(error)
    row.set_aside = source(plan.schedule.value) if error.stalled else ""


def text(error: TriggerError) -> str:
    """Return what is said of a job with this trigger, in one line that every table can hold."""
    said = f"its trigger cannot be used: {error}"
    if error.stalled:
        said += "; it is not asked again until its schedule or code is changed, or the job is saved"
    return plain.one_line(said.encode("ascii", "backslashreplace").decode(), TEXT_LIMIT)


def write(row: Job, before: tuple[str, Any], told: str) -> bool:
    """Write what `break_off` or a timing set; False when the row is not as it was read any more.

    Args:
        before: the schedule and the last fire time of the row as it was read: one that was read before the runner
            covered a fire time would make that one due again.
        told: what the row said of its trigger; what was reported of it changes along.
    """
    rows = Job.objects.using(conf.load().database).filter(pk=row.pk)
    unchanged = rows.filter(schedule_key=before[0], last_fire_at=before[1])
    if not unchanged.update(**{name: getattr(row, name) for name in COLUMNS}):
        return False
    if told and told != row.trigger_error and rows.filter(broken=told).update(broken=row.trigger_error):
        row.broken = row.trigger_error
    ledger.plan_next(row.name, row.next_run_at, rows.db)
    return True


def source(schedule: Schedule) -> str:
    """Return a digest of the code of a schedule's trigger, never empty."""
    trigger = schedule.trigger if isinstance(schedule, Custom) else None
    digest = hashlib.sha256()
    for module in sorted({*_modules(trigger, DEPTH)}):
        digest.update(f"{module}\n{_source(module)}\n".encode(errors="backslashreplace"))
    return digest.hexdigest()


def _modules(trigger: Any, depth: int) -> Iterator[str]:
    """Yield the modules that the classes of a trigger and of its members come from."""
    yield from (kind.__module__ for kind in type(trigger).__mro__)
    try:
        members = vars(trigger).get("triggers", ())
    except Exception:  # others made it: it need not have attributes that can be read
        members = ()
    for member in members if depth and isinstance(members, list | tuple) else ():
        yield from _modules(member, depth - 1)
