"""Where the runs behind a number are found: the history with its filters, and a window of the timeline."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from django.urls import reverse

from ..models import Run, Status
from ..timeline import SPANS, Block, Cell


def moment(value: datetime) -> str:
    """Give a moment as it stands in addresses: whole seconds, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def history(
    *, job_id: int | None = None, status: str = "", first: datetime | None = None, last: datetime | None = None
) -> str:
    """Give the address of the runs of a job that were due from one moment to another, both included."""
    asked = {
        "job": "" if job_id is None else str(job_id),
        "status__exact": status,
        "from": "" if first is None else moment(first),
        "to": "" if last is None else moment(last),
    }
    return _address("admin:scheduler_bridge_run_changelist", asked)


def timeline(*, span: str = "", at: datetime | None = None, query: str = "", page: int = 1) -> str:
    """Give the address of a window of the timeline; without a moment it is around the present."""
    asked = {
        "span": span,
        "at": "" if at is None else moment(at),
        "q": query,
        "p": "" if page == 1 else str(page),
    }
    return _address("admin:scheduler_bridge_timeline", asked)


def of_block(block: Block) -> str:
    """Give the address of the run behind a bar, or of the runs; empty where they are still to come."""
    if block.is_to_come:
        return ""
    if block.count == 1:
        return reverse("admin:scheduler_bridge_run_change", args=[block.run_id])
    return history(job_id=block.job_id, status=str(block.status), first=block.due, last=block.last_due)


def of_cell(job_id: int, cell: Cell) -> str:
    """Give the address of the runs in a part of a strip; empty where they are still to come."""
    return "" if cell.is_to_come else history(job_id=job_id, first=cell.due, last=cell.last_due)


def surroundings(run: Run) -> str:
    """Give the address of the shortest window of the timeline that shows a run from its due time to its end."""
    ends = [moment for moment in (run.started_at, run.finished_at) if moment is not None]
    first, last = run.scheduled_for, max([run.scheduled_for, *ends])
    fitting = (name for name, span in SPANS.items() if span >= last - first)
    span = next(fitting, list(SPANS)[-1])
    # The end of a run that was skipped for months says more than the middle of that time.
    middle = first + (last - first) / 2 if SPANS[span] >= last - first else last
    name = run.job.name if run.status == Status.SKIPPED else ""
    return timeline(span=span, at=middle, query=name)


def _address(page: str, asked: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{reverse(page)}?{query}" if query else reverse(page)
