"""Recording how a run ended, once."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Final

from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import QuerySet

from .. import ledger, sql
from ..execution.outcome import Outcome
from ..models import FAILURES, Run, Status
from ..plain import plain
from . import failing as failing_state
from . import statements
from .claim import alone
from .firing import Queued
from .hand_over import release
from .queue import chain, chained
from .rows import one_line, report_columns, runs, settle_ledger, settlement, using

logger = logging.getLogger("scheduler_bridge")
# What is kept of an output that the database refuses for its text, the largest that any packet limit lets pass.
REFUSED_LIMIT: Final = 64 * 1024


def show_output(run_id: int, output: str) -> bool:
    """Make what a run has printed so far readable; False where its row refuses it, which gets the whole at the end."""
    try:
        runs().filter(pk=run_id, status=Status.RUNNING).update(output=output)
    except (DatabaseError, InterfaceError, ValueError) as error:
        logger.debug("live output not written", extra={"run": run_id, "reason": str(error)})
        return False
    return True


def close(
    run: Run, outcome: Outcome, now: datetime, *, next_jobs: Sequence[str], mail: bool, failing: bool = False
) -> tuple[Queued, ...]:
    """Record how a run ended, once, and queue the runs that follow it, in one transaction.

    An output that the database refuses is kept in a plainer, shorter form, so that the outcome is never lost for it.

    Args:
        failing: whether the job was known to fail before.
    """
    try:
        return _close(run, outcome, outcome.output, now, next_jobs, mail, failing)
    except (OperationalError, InterfaceError) as error:
        if not _is_refusal(error):
            raise
    except (DatabaseError, ValueError) as error:
        logger.warning("output refused by the database", extra={"run": run.pk, "reason": str(error)})
    return _close(run, outcome, _shorter(outcome.output), now, next_jobs, mail, failing)


def _is_refusal(error: Exception) -> bool:
    """Tell a text that MariaDB refuses (1153: packet too large) from a database that is gone."""
    return bool(error.args) and error.args[0] in {1153, 1366}


def _shorter(output: str) -> str:
    text = output.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")
    return text if len(text) <= REFUSED_LIMIT else f"{text[: REFUSED_LIMIT // 2]}\n[…]\n{text[-REFUSED_LIMIT // 2 :]}"


def _close(
    run: Run, outcome: Outcome, output: str, now: datetime, next_jobs: Sequence[str], mail: bool, failing: bool
) -> tuple[Queued, ...]:
    columns = {
        "status": outcome.status,
        "finished_at": now,
        "exit_code": outcome.exit_code,
        "output": output,
        "reason": one_line(outcome.reason),
        "warning": plain("\n".join(outcome.warnings)),
        "cpu_seconds": outcome.usage and outcome.usage.cpu_seconds,
        "peak_memory": outcome.usage and outcome.usage.peak_memory,
        **report_columns(mail, now),
    }
    turns = failing_state.turns(outcome.status, failing)
    with transaction.atomic(using=using()) if next_jobs or turns or run.queue else nullcontext():
        if _write(run, columns, outcome, now):
            if run.queue:
                release(run.job_id, run.pk)
            if turns:
                failing_state.follow(run.job_id, outcome.status, now)
            return chain(run, next_jobs, now) if next_jobs else ()
    _complain(run, outcome)
    return chained(run)  # a first try was committed though its answer was lost


def _complain(run: Run, outcome: Outcome) -> None:
    """Let an outcome that no row took be known from the log: somebody deleted the run, or closed it before."""
    status = runs().filter(pk=run.pk).values_list("status", flat=True).first()
    if status != outcome.status:
        logger.error(
            "job %s run %s %s, which is not recorded: expected a running run, got %s. %s",
            run.job.name,
            run.pk,
            outcome.status.value,
            status or "none",
            outcome.reason,
            extra={"job": run.job.name, "run": run.pk, "status": outcome.status.value},
        )


def _write(run: Run, columns: dict[str, object], outcome: Outcome, now: datetime) -> bool:
    reported = "report" in columns
    values = [*statements.run_values(columns, using()), run.pk]
    if sql.is_one_journey(using()):
        with alone():
            noted = ledger.finished(**settlement(run, outcome.status, outcome.reason, now))
            row = sql.fetch(using(), statements.ending(using(), reported), [*values, *noted])
        return bool(row and row[0])
    with transaction.atomic(using=using()):
        closed = sql.change(using(), statements.closing(using(), reported), values)
        if closed:
            settle_ledger(run, outcome.status, outcome.reason, now)
    return bool(closed)


def open_runs() -> list[Run]:
    """Give the runner's own runs that claim to be running."""
    return list(runs().filter(status=Status.RUNNING, queue="").select_related("job").defer("output"))


def abandon(run: Run, reason: str, now: datetime, *, ended: Iterable[str] = ()) -> bool:
    """Close a run whose process is gone, and owe a report about it; False when it was closed already.

    The run of a worker that has given a further sign of life stays open.
    """
    return _give_up(run, runs().filter(heartbeat_at=run.heartbeat_at), reason, now, ended)


def break_off(run: Run, reason: str, now: datetime) -> bool:
    """Close a run that its own worker has to give up, likewise."""
    return _give_up(run, runs().filter(marker=run.marker), reason, now, ())


def _give_up(run: Run, rows: QuerySet[Run], reason: str, now: datetime, ended: Iterable[str]) -> bool:
    with transaction.atomic(using=using()):
        values = {
            "status": Status.ABANDONED,
            "finished_at": now,
            "reason": one_line(reason),
            "warning": plain("\n".join(ended)),
            **report_columns(True, now),
        }
        closed = rows.filter(pk=run.pk, status=Status.RUNNING).update(**values)
        if closed:
            if run.queue:
                release(run.job_id, run.pk)
            settle_ledger(run, Status.ABANDONED, reason, now)
            failing_state.follow(run.job_id, Status.ABANDONED, now)
    return bool(closed)


def is_failure(status: str) -> bool:
    """Tell whether a run that ended so is reported."""
    return status in FAILURES
