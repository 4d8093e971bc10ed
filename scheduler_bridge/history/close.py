"""Recording how a run ended, once."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from .. import ledger, sql
from ..execution.outcome import Outcome
from ..models import FAILURES, Run, Status
from ..outage import described, is_outage
from . import failing as failing_state
from . import statements
from .claim import alone
from .firing import Queued
from .hand_over import release
from .mending import mended
from .queue import chain, chained
from .rows import one_line, report_columns, runs, settle_ledger, settlement, using, warning

logger = logging.getLogger("scheduler_bridge")
# What is kept of an output that the database refuses for its text, the largest that any packet limit lets pass.
REFUSED_LIMIT: Final = 64 * 1024
T = TypeVar("T")


def show_output(run_id: int, output: str) -> bool:
    """Make what a run has printed so far readable; False where it is to be tried again, as the database is away.

    What its row refuses is not shown: it gets the whole at the end.
    """
    try:
        runs().filter(pk=run_id, status=Status.RUNNING).update(output=output)
    except Exception as error:
        logger.debug("live output not written", extra={"run": run_id, "reason": described(error)})
        return not is_outage(error)
    return True


def close(
    run: Run, outcome: Outcome, now: datetime, *, next_jobs: Sequence[str], mail: bool, failing: bool = False
) -> tuple[Queued, ...]:
    """Record how a run ended, once, and queue the runs that follow it, in one transaction.

    What the database refuses, though it is not away, is recorded in a plainer form, then without its texts, then each
    part by itself: the outcome is never lost for what belongs to it. What is left out is said in the log.

    Args:
        failing: whether the job was known to fail before.
    """
    ending = _Ending(run, outcome, now, next_jobs, mail, failing)
    names, steps = (run.job.name, *next_jobs), list(ending.steps())
    refusal: Exception | None = None
    while steps:
        try:
            return steps[0](refusal)
        except Exception as error:
            if is_outage(error):
                raise
            refusal = error
        if names and isinstance(refusal, IntegrityError) and mended(names, refusal):
            names = ()  # what was made good is tried once more, once
            continue
        steps.pop(0)
        _say_refused(run, refusal, "it is recorded otherwise" if steps else f"{outcome.status.value} is not recorded")
    return ()


@dataclass(frozen=True, slots=True)
class _Ending:
    """The end of a run, and the ways to record it, the whole one first."""

    run: Run
    outcome: Outcome
    now: datetime
    next_jobs: Sequence[str]
    mail: bool
    failing: bool

    def steps(self) -> Iterator[Callable[[Exception | None], tuple[Queued, ...]]]:
        yield lambda _refusal: self._close(self.outcome)
        yield lambda _refusal: self._close(_plainer(self.outcome))
        yield lambda refusal: self._close(_without_texts(self.outcome, refusal))
        yield lambda refusal: self._close_in_parts(_without_texts(self.outcome, refusal))

    def _columns(self, outcome: Outcome) -> dict[str, object]:
        return {
            "status": outcome.status,
            "finished_at": self.now,
            "exit_code": outcome.exit_code,
            "output": outcome.output,
            "reason": one_line(outcome.reason),
            "warning": warning(outcome.warnings),
            "cpu_seconds": outcome.usage and outcome.usage.cpu_seconds,
            "peak_memory": outcome.usage and outcome.usage.peak_memory,
            **report_columns(self.mail, self.now),
        }

    def _close(self, outcome: Outcome) -> tuple[Queued, ...]:
        run, now, turns = self.run, self.now, failing_state.turns(outcome.status, self.failing)
        with transaction.atomic(using=using()) if self.next_jobs or turns or run.queue else nullcontext():
            if _write(run, self._columns(outcome), outcome, now):
                if run.queue:
                    release(run.job_id, run.pk)
                if turns:
                    failing_state.follow(run.job_id, outcome.status, now)
                return chain(run, self.next_jobs, now) if self.next_jobs else ()
        _complain(run, outcome)
        return chained(run)  # a first try was committed though its answer was lost

    def _close_in_parts(self, outcome: Outcome) -> tuple[Queued, ...]:
        """Record the outcome, and each thing that belongs to it if that can be."""
        run, now = self.run, self.now
        if not runs().filter(pk=run.pk, status=Status.RUNNING).update(**self._columns(outcome)):
            return chained(run)
        self._try("the ledger", lambda: settle_ledger(run, outcome.status, outcome.reason, now))
        self._try("whether the job fails", lambda: failing_state.follow(run.job_id, outcome.status, now))
        if run.queue:
            self._try("that the job is free", lambda: release(run.job_id, run.pk))
        if not self.next_jobs:
            return ()
        what = f"what follows ({', '.join(self.next_jobs)})"
        return self._try(what, lambda: chain(run, self.next_jobs, now)) or ()

    def _try(self, what: str, part: Callable[[], T]) -> T | None:
        try:
            with transaction.atomic(using=using()):
                return part()
        except Exception as error:
            _say_refused(self.run, error, f"{what} is not recorded")
            return None


def _plainer(outcome: Outcome) -> Outcome:
    """Return an outcome in letters that every database has, and shorter than any packet."""
    texts = tuple(_ascii(text) for text in outcome.warnings)
    return replace(outcome, output=_shorter(_ascii(outcome.output)), reason=_ascii(outcome.reason), warnings=texts)


def _without_texts(outcome: Outcome, refusal: Exception | None) -> Outcome:
    """Return an outcome that says why it has no texts."""
    why = _ascii(one_line(described(refusal))) if refusal else "unknown"
    said = f"[what this run printed is not kept: {why}]"
    return replace(outcome, output=said, reason=outcome.reason and "its reason is not kept", warnings=())


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode().replace("\0", "\\x00")


def _shorter(text: str) -> str:
    return text if len(text) <= REFUSED_LIMIT else f"{text[: REFUSED_LIMIT // 2]}\n[...]\n{text[-REFUSED_LIMIT // 2 :]}"


def _say_refused(run: Run, error: Exception, what: str) -> None:
    logger.error(
        "job %s run %s: %s: %s",
        run.job.name,
        run.pk,
        what,
        described(error),
        extra={"job": run.job.name, "run": run.pk},
    )


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
            "warning": warning(ended),
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
