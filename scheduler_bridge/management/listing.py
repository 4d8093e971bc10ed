"""The jobs as ``scheduledjobs list`` shows them: for people in columns, for programs as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from scheduler_bridge import conf, diagnosis, registry, schedules
from scheduler_bridge.models import Job, Run, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the list."""

    name: str
    description: str
    enabled: bool
    enabled_source: str
    schedule: str  # in words
    source: str  # the layer that says the schedule
    next_run_at: datetime | None
    last_run_at: datetime | None
    last_status: str | None
    last_reason: str | None
    broken: bool
    broken_reason: str  # its last line: why; empty when it is not
    queue: str  # of the engine that its runs are handed over to; empty: the runner performs them
    queue_source: str


def entries() -> list[Entry]:
    """Give every job that is not removed, by name."""
    rows = Job.objects.using(conf.load().database).filter(removed_at=None).order_by("name")
    return [_entry(row) for row in rows.select_related("last_run").defer("last_run__output")]


def columns(listed: Sequence[Entry]) -> list[list[str]]:
    """Give the list as cells, the head first; with the queues where a job has one."""
    head = [_("job"), _("enabled"), _("schedule"), _("from"), _("next run"), _("last run"), _("status")]
    rows = [head, *(_cells(entry) for entry in listed)]
    if any(entry.queue for entry in listed):
        queues = [_("queue"), *(entry.queue or "-" for entry in listed)]
        rows = [[*row, queue] for row, queue in zip(rows, queues, strict=True)]
    return rows


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Give rows of cells as lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def run_values(run: Run) -> dict[str, Any]:
    """Give what programs want to know of a run; its output only when it has ended."""
    return {
        "run": run.pk,
        "job": run.job.name,
        "status": str(run.status),
        "reason": run.reason,
        "exit_code": run.exit_code,
        "queue": run.queue,
        "host": run.host,
        "scheduled_for": run.scheduled_for,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "output": run.output if run.finished_at else None,
    }


def _entry(row: Job) -> Entry:
    plan = registry.plan_of(row)
    last = row.last_run
    return Entry(
        name=row.name,
        description=row.description,
        enabled=plan.enabled.value,
        enabled_source=plan.enabled.source.value,
        schedule=schedules.words(plan.schedule.value),
        source=plan.schedule.source.value,
        next_run_at=row.next_run_at,
        last_run_at=(last.started_at or last.finished_at or last.scheduled_for) if last else None,
        last_status=str(last.status) if last else None,
        last_reason=last.reason if last else None,
        broken=bool(row.broken),
        broken_reason=row.broken_line,
        queue=plan.queue.value,
        queue_source=plan.queue.source.value,
    )


def _cells(entry: Entry) -> list[str]:
    return [
        entry.name,
        _enabled(entry),
        entry.schedule,
        entry.source,
        _clock(entry.next_run_at),
        _clock(entry.last_run_at),
        str(Status(entry.last_status).label) if entry.last_status else "-",
    ]


def _enabled(entry: Entry) -> str:
    if entry.broken:
        return _("broken")
    return _("yes") if entry.enabled else _("no")


def _clock(moment: datetime | None) -> str:
    return diagnosis.clock(moment) if moment else "-"
