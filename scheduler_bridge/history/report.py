"""The mails that are owed about runs."""

from datetime import datetime

from ..models import Report, Run
from .rows import runs


def reports_due(now: datetime, limit: int) -> list[Run]:
    """Give the closed runs whose mail is due, the longest waiting first."""
    rows = runs().filter(report=Report.DUE, report_at__lte=now).order_by("report_at")
    return list(rows.select_related("job", "parent__job")[:limit])


def next_report_at() -> datetime | None:
    """Give the moment at which the next mail is to be tried; None when none is owed."""
    due = runs().filter(report=Report.DUE).order_by("report_at")
    return due.values_list("report_at", flat=True).first()


def report_sent(run_id: int, now: datetime) -> None:
    """Record that the mail about this run is out."""
    runs().filter(pk=run_id, report=Report.DUE).update(report=Report.SENT, report_at=now)


def report_failed(run_id: int, now: datetime, tries: int, retry_at: datetime | None) -> None:
    """Record that the mail was refused: it is tried again then, or given up when there is no such moment."""
    state = Report.DUE if retry_at else Report.GIVEN_UP
    runs().filter(pk=run_id, report=Report.DUE).update(report=state, report_tries=tries, report_at=retry_at or now)
