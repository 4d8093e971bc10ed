"""Who runs the jobs: the runner, those who stand by, the hold, and whether all of them have the same code."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db.models import Count, QuerySet, Subquery
from django.db.models.functions import Coalesce

from .. import conf, deployment, diagnosis, lease, standby
from ..diagnosis import RunnerState
from ..lease import Holder
from ..models import Deployment, Report, Run, Runner, Standby

# A runner that brings new code into force notes it a moment after it has taken the lease.
STARTS_WITHIN: Final = timedelta(minutes=1)


class Code(StrEnum):
    """How the code of the process that asks, and of the runner, stands to what was deployed last."""

    SAME = "same"
    OTHER_HERE = "other_here"  # this process has code that was in force before
    NEW_HERE = "new_here"  # this process has code that never was in force
    OLD_RUNNER = "old_runner"  # the runner was started before the last deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Nothing is started: why, who wants it, since when, and when it ends by itself."""

    reason: str
    by: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What is known of the processes."""

    state: RunnerState
    holder: Holder | None  # who has the lease, alive or not
    was_ever: bool  # there was a runner once
    hold: Hold | None
    standbys: tuple[Standby, ...]
    code: Code
    deployed_at: datetime | None
    unsent: int  # mails that were refused and are tried again


def presence(now: datetime) -> Presence:
    """Read who runs the jobs, in two statements; in a third where the code differs."""
    using = conf.load().database
    said = {"deployed_at": Subquery(_newest(using)), "unsent": Coalesce(_unsent(using), 0)}
    found: Any = _runner(using).annotate(**said).first()
    row: Runner = found or Runner()
    deployed_at = found.deployed_at if found else None
    holder = lease.holder_of(row)
    return Presence(
        state=diagnosis.runner_state(holder, now),
        holder=holder,
        was_ever=row.since is not None,
        hold=hold_of(row),
        standbys=tuple(waiting for waiting in standby.seen(now) if waiting.token != row.token),
        code=_code(row.code, holder, deployed_at, now),
        deployed_at=deployed_at,
        unsent=found.unsent if found else 0,
    )


def held() -> Hold | None:
    """Read the hold; None when jobs are started."""
    row = _runner(conf.load().database).first()
    return None if row is None else hold_of(row)


def hold_of(row: Runner) -> Hold | None:
    """Give the hold by this row; None when jobs are started."""
    if not row.held:
        return None
    return Hold(reason=row.held_reason, by=row.held_by, since=row.held_at, until=row.held_until)


def _code(deployed: str, holder: Holder | None, deployed_at: datetime | None, now: datetime) -> Code:
    mine = deployment.code_fingerprint() if deployed else ""
    if deployed != mine:
        was_in_force = Deployment.objects.using(conf.load().database).filter(code=mine).exists()
        return Code.OTHER_HERE if was_in_force else Code.NEW_HERE
    if holder is None or deployed_at is None or now - deployed_at < STARTS_WITHIN:
        return Code.SAME
    return Code.OLD_RUNNER if holder.since + STARTS_WITHIN < deployed_at else Code.SAME


def _newest(using: str) -> QuerySet[Any]:
    return Deployment.objects.using(using).order_by("-at").values("at")[:1]


def _unsent(using: str) -> Subquery:
    refused = Run.objects.using(using).filter(report=Report.DUE, report_tries__gt=0).order_by().values("report")
    return Subquery(refused.annotate(number=Count("pk")).values("number"))


def _runner(using: str) -> QuerySet[Runner]:
    return Runner.objects.using(using).filter(pk=Runner.ROW)
