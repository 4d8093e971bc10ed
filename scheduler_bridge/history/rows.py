"""The rows of Run, and what every writer of them shares."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from .. import conf, ledger, plain
from ..models import Report, Run, Status
from ..storable import TEXT_LIMIT
from .firing import Firing

REASON_LIMIT: Final = 500  # characters of the column


def using() -> str:
    return conf.load().database


def runs() -> QuerySet[Run]:
    return Run.objects.using(using())


def one_line(text: str) -> str:
    """Give the text as one plain line that fits the column."""
    return plain.one_line(text, REASON_LIMIT)


def warning(texts: Iterable[str]) -> str:
    """Return what is said of a run as plain lines that fit the column."""
    return plain.plain("\n".join(texts)[:TEXT_LIMIT])


def claim_key(firing: Firing) -> str:
    return f"{firing.job_id}@{firing.fire_time:%Y%m%dT%H%M%S.%f}"


def report_columns(mail: bool, now: datetime) -> dict[str, object]:
    return {"report": Report.DUE, "report_at": now} if mail else {}


def settle_ledger(run: Run, status: Status, reason: str, now: datetime) -> None:
    ledger.finish(**settlement(run, status, reason, now))


def settlement(run: Run, status: Status, reason: str, now: datetime) -> dict[str, Any]:
    """Say what the ledger is to show of a run that has ended."""
    return {
        "name": run.job.name,
        "fire_time": run.scheduled_for,
        "error": None if status == Status.SUCCEEDED else one_line(reason) or status.value,
        "started": run.started_at or now,
        "now": now,
        "using": using(),
    }
