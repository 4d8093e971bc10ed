"""Recording a run before it starts, once for each fire time."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, connections, transaction

from .. import lease, ledger, sql
from ..exceptions import LeaseLost
from ..lease import Identity
from ..models import Job, Run, Status
from . import statements
from .firing import Firing
from .mending import insisted
from .rows import claim_key, runs, using

logger = logging.getLogger("scheduler_bridge")

T = TypeVar("T")


def claim(firing: Firing, me: Identity, now: datetime, next_run_at: datetime | None) -> Run | None:
    """Record a run before it starts; None when its fire time is accounted for already.

    Raises:
        LeaseLost: another process is the runner now.
    """
    marker = f"{me.token}/{firing.run_id or claim_key(firing)}"[:100]
    values = {"status": Status.RUNNING, "started_at": now, "host": me.host, "marker": marker}

    def step() -> Run | None:
        if firing.run_id is not None:
            return _take(firing.run_id, firing, me, values)
        return _make(firing, me, {**scheduled(firing), **values}, next_run_at)

    run = recorded(step, firing, next_run_at)
    # After a lost connection the first try may have been committed all the same.
    run = run or runs().filter(marker=marker, status=Status.RUNNING).first()
    if run is not None:
        # What is known already is not asked for at the end, when the database may be away.
        run.job = Job(pk=firing.job_id, name=firing.name)
    return run


def recorded(step: Callable[[], T], firing: Firing, next_run_at: datetime | None) -> T | None:
    """Do what records a firing; None when a run covers its fire time already, though its job does not know of that.

    The job is moved on then, so that this fire time is not handed over again and again.

    Raises:
        IntegrityError: it fails for another reason, which cannot be made good.
    """
    try:
        return insisted(step, [firing.name])
    except IntegrityError:
        if not is_covered(firing):
            raise
    with transaction.atomic(using=using()):
        cover(firing, next_run_at)
    logger.info("job %s: a run covers the fire time %s already", firing.name, firing.fire_time)
    return None


def is_covered(firing: Firing) -> bool:
    """Return whether a run covers this fire time of a schedule: the one thing that its key can mean."""
    return firing.run_id is None and runs().filter(claim_key=claim_key(firing)).exists()


def scheduled(firing: Firing) -> dict[str, Any]:
    """Give the columns of the run of a scheduled fire time."""
    return {
        "job_id": firing.job_id,
        "cause": firing.cause,
        "scheduled_for": firing.fire_time,
        "coalesced": firing.coalesced,
        "claim_key": claim_key(firing),
    }


def _take(run_id: int, firing: Firing, me: Identity, values: dict[str, Any]) -> Run | None:
    if sql.is_one_journey(using()):
        taken = _take_at_once(run_id, firing, me, values)
    else:
        with transaction.atomic(using=using()):
            lease.confirm(me)
            taken = _take_step_by_step(run_id, firing, values)
            if not taken:
                transaction.set_rollback(True, using=using())
    return Run(pk=run_id, scheduled_for=firing.fire_time, **values) if taken else None


def _take_step_by_step(run_id: int, firing: Firing, values: dict[str, Any]) -> bool:
    """Take the job and then the run; False when either cannot be taken."""
    if not sql.change(using(), statements.pointing_if_free(using()), [run_id, firing.job_id]):
        return False
    if not sql.change(using(), statements.taking(using()), [*statements.taken(values, using()), run_id]):
        return False
    ledger.start(firing.name, firing.fire_time, using())
    return True


def _take_at_once(run_id: int, firing: Firing, me: Identity, values: dict[str, Any]) -> bool:
    parts = (
        lease.confirmed(me),
        [firing.job_id],
        statements.taken(values, using()),
        [run_id, run_id, firing.job_id],
        ledger.started(firing.name, firing.fire_time, using()),
    )
    return bool(_claimed(statements.taking_at_once(using()), parts))


def _make(firing: Firing, me: Identity, values: dict[str, Any], next_run_at: datetime | None) -> Run | None:
    if sql.is_one_journey(using()):
        pk = _make_at_once(firing, me, values, next_run_at)
    else:
        with transaction.atomic(using=using()):
            lease.confirm(me)
            pk = insert(firing, values) if cover(firing, next_run_at, free=True) else None
            if pk is not None:
                ledger.start(firing.name, firing.fire_time, using())
    return None if pk is None else Run(pk=pk, **values)


def _make_at_once(firing: Firing, me: Identity, values: dict[str, Any], next_run_at: datetime | None) -> int | None:
    parts = (
        lease.confirmed(me),
        [firing.job_id, *statements.fire_time(firing, using())],
        statements.inserted(values, using()),
        statements.moved(firing, next_run_at, using()),
        ledger.planned(firing.name, next_run_at, using()),
        ledger.started(firing.name, firing.fire_time, using()),
    )
    pk = _claimed(statements.claiming(using()), parts)
    return None if pk is None else int(pk)


def _claimed(statement: str, parts: Sequence[Sequence[Any]]) -> Any:
    """Execute a claim that is one statement; give what it claimed."""
    with alone():
        row = sql.fetch(using(), statement, [one for part in parts for one in part])
    if row is None or not row[0]:
        raise LeaseLost("another process is the runner now")
    return row[1]


def alone() -> AbstractContextManager[object]:
    """Keep a statement that may fail from breaking the transaction around it, if there is one."""
    return transaction.atomic(using=using()) if connections[using()].in_atomic_block else nullcontext()


def insert(firing: Firing, values: dict[str, Any]) -> int:
    """Add a run and make it the last one of its job; give its number."""
    head, places, _rest = statements.insertion(using())
    connection = connections[using()]
    tells = connection.features.can_return_columns_from_insert  # MySQL does not
    tail = f" RETURNING {sql.table(Run, using())['id']}" if tells else ""
    with connection.cursor() as cursor:
        cursor.execute(f"{head} VALUES ({places}){tail}", statements.inserted(values, using()))
        pk = int(cursor.fetchall()[0][0] if tells else cursor.lastrowid)
    sql.change(using(), statements.pointing(using()), [pk, firing.job_id])
    return pk


def cover(firing: Firing, next_run_at: datetime | None, *, free: bool = False) -> bool:
    """Mark the fire time as accounted for; False when it was.

    Args:
        free: only while no run of the job is handed over.
    """
    values = [*statements.moved(firing, next_run_at, using()), *statements.fire_time(firing, using())]
    covered = sql.change(using(), statements.covering(using(), free), values)
    if covered:
        ledger.plan_next(firing.name, next_run_at, using())
    return bool(covered)
