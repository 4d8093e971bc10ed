"""One run end to end, as a line of small steps: gate, should_run, claim, execute, close."""

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeVar

from django.db import DatabaseError, InterfaceError

from . import chain, conf, connection, discovery, history, identity
from .exceptions import LeaseLost, SkipRun
from .execution import child_process, in_process, mark, room
from .execution.child_process import ChildSpec, StopRequest
from .execution.outcome import Outcome
from .execution.output import Capture
from .execution.spawner import Spawner
from .execution.uptime import uptime
from .gate import Admitted, Held, admit
from .history import Firing, Queued
from .live import unseen
from .models import Run, Status
from .object_text import text_of
from .outage import described, is_outage, parted
from .plan import JobPlan

logger = logging.getLogger("scheduler_bridge")

# So long before a fire time an idle worker passes the gate and records the run, so that the job itself starts on time.
EARLY: Final = timedelta(milliseconds=5)
RETRY_PAUSE: Final = 1.0  # seconds between two tries while the database is away
# A process that stood still for so long after a claim may have lost its lease meanwhile.
STANDSTILL: Final = 2.0  # seconds
SAID_NO: Final = "should_run said no"
T = TypeVar("T")


class Stopped(Exception):
    """The runner stops: the firing is dropped without a trace and stays due."""


class NotRecorded(Exception):
    """A firing cannot be recorded, though the database answers: it is given up for now and stays due."""


class Books(Protocol):
    """Who records a run, by which right."""

    def claim(self, admitted: Admitted, now: datetime) -> Run | None:
        """Record a run before it starts; None when there is nothing to do for it any more."""

    def skip(self, admitted: Admitted, reason: str, now: datetime) -> None:
        """Record that a run is not started."""

    def confirm(self) -> None:
        """Make sure that the right to run was not lost while this process stood still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What a worker needs for its runs."""

    books: Books
    spawner: Spawner
    stop: Callable[[], StopRequest | None]  # asked while an external run goes on
    stopping: Callable[[], bool]  # no new run may start
    entered: Callable[[Run | None, bool], None]  # told which run is going on, and whether it is internal
    until: Callable[[], float | None] = lambda: None  # the moment, by the uptime, when an external run ends by itself
    live: Callable[[int, int], AbstractContextManager[Capture]] = unseen  # shows what an internal run prints
    # Whether an error around a run is its outcome; an engine ends runs by errors of its own.
    enduring: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What a run was and what follows it."""

    name: str
    status: Status
    reason: str = ""
    run_id: int | None = None
    chained: tuple[Queued, ...] = ()
    owes_mail: bool = False


def perform(firing: Firing, place: Workplace) -> Completion | None:
    """Run one firing; None when there was nothing to do for it any more.

    Raises:
        Held: the runner is on hold.
        Stopped: the runner is stopping.
        NotRecorded: nothing was started, as that cannot be recorded.
        LeaseLost: another process is the runner now.
    """
    admitted = _persist(lambda: admit(firing, _now()), place)
    if admitted is None:
        return None
    reason = admitted.barred or _ask(admitted)
    if reason is not None:
        return _skip(admitted, reason, place)
    run, age = _persist(lambda: _claim(admitted, place), place)
    if run is None:
        return None
    _wait_for(firing)
    if age() > STANDSTILL:
        _persist(place.books.confirm, place, until_written=True)
    return _finish(admitted, run, _execute(admitted, run, place), place)


def _claim(admitted: Admitted, place: Workplace) -> tuple[Run | None, Callable[[], float]]:
    """Record the run; give it with what tells the seconds since the right to it was confirmed."""
    begun = uptime()
    run = place.books.claim(admitted, _start(admitted.firing))
    return run, lambda: uptime() - begun


def _ask(admitted: Admitted) -> str | None:
    """Ask the job's should_run: None lets it run, a text skips it and says why.

    An error in the question runs the job, to be safe: a run too many is seen, a run that is missing is not.
    """
    question = admitted.plan.definition.should_run
    if question is None or admitted.forced:
        return None
    _wait_for(admitted.firing)
    before = room.snapshot()
    reason, failure = _answer(question)
    _log_dirt(admitted.plan.name, room.restore(before))
    if failure is not None:
        logger.error(
            "%s: should_run failed, so the job runs: %s",
            admitted.plan.name,
            described(failure),
            exc_info=failure,
            extra={"job": admitted.plan.name},
        )
    return reason


def _answer(question: Callable[[], object]) -> tuple[str | None, BaseException | None]:
    """Return why a run is skipped, and what went wrong with the question."""
    try:
        return (None if question() else SAID_NO), None
    except SkipRun as answer:
        return _said(answer), None
    except BaseException as error:  # it may even try to leave the process
        return None, error


def _said(answer: SkipRun) -> str:
    """Return the reason in the words of the job, whatever it has put there."""
    try:
        reason = answer.reason
    except BaseException:  # a class of the project's own
        reason = text_of(answer)
    return (text_of(reason) if reason is not None else "") or SAID_NO


def _log_dirt(name: str, warnings: tuple[str, ...]) -> None:
    for text in warnings:
        logger.warning("%s: should_run left behind: %s", name, text, extra={"job": name})


def _skip(admitted: Admitted, reason: str, place: Workplace) -> Completion:
    firing = admitted.firing
    _persist(lambda: place.books.skip(admitted, reason, _start(firing)), place)
    logger.debug("job %s skipped: %s", firing.name, reason, extra={"job": firing.name, "status": "skipped"})
    return Completion(name=firing.name, status=Status.SKIPPED, reason=reason, run_id=firing.run_id)


def _execute(admitted: Admitted, run: Run, place: Workplace) -> Outcome:
    definition = admitted.plan.definition
    _log("started", admitted.firing.name, run, run.started_at)
    place.entered(run, definition.internal)
    try:
        return _inside(admitted.plan, run, place) if definition.internal else _outside(admitted.plan, run, place)
    except BaseException as error:
        if not place.enduring:
            raise
        logger.error("job %s run %s: %s", run.job.name, run.pk, described(error), exc_info=error)
        return Outcome(status=Status.FAILED, exit_code=None, output="", reason=f"not seen to its end: {text_of(error)}")
    finally:
        place.entered(None, False)


def _outside(plan: JobPlan, run: Run, place: Workplace) -> Outcome:
    return child_process.run(
        _spec(plan, run),
        place.spawner,
        on_output=lambda text: history.show_output(run.pk, text),
        stop=place.stop,
        until=place.until,
    )


def _inside(plan: JobPlan, run: Run, place: Workplace) -> Outcome:
    before = room.snapshot()
    with place.live(run.pk, conf.load().output_limit) as capture:
        outcome = in_process.run(plan.definition.command, plan.definition.app, plan.args.value, capture)
    return replace(outcome, warnings=(*outcome.warnings, *room.restore(before)))


def _spec(plan: JobPlan, run: Run) -> ChildSpec:
    settings = conf.load()
    return ChildSpec(
        command=plan.definition.command,
        args=plan.args.value,
        timeout=plan.timeout.value,
        kill_after=settings.kill_after,
        output_limit=settings.output_limit,
        marker=mark.proved(run.marker, identity.known()),
        skip_checks=plan.definition.skips_checks,
    )


def _finish(admitted: Admitted, run: Run, outcome: Outcome, place: Workplace) -> Completion:
    plan, name = admitted.plan, admitted.firing.name
    next_jobs = chain.followers(plan, outcome.status, discovery.discover().resolve)
    mail = history.is_failure(outcome.status) or (outcome.status == Status.SUCCEEDED and plan.notify_on_success.value)
    finished = _now()
    chained = _persist(
        lambda: history.close(run, outcome, finished, next_jobs=next_jobs, mail=mail, failing=admitted.failing),
        place,
        until_written=True,
    )
    _log(outcome.status.value, name, run, finished, outcome.reason)
    return Completion(
        name=name, status=outcome.status, reason=outcome.reason, run_id=run.pk, chained=chained, owes_mail=mail
    )


def _log(word: str, name: str, run: Run, moment: datetime | None, reason: str = "") -> None:
    seconds = (moment - run.started_at).total_seconds() if moment and run.started_at else 0.0
    level = logging.WARNING if word in {"failed", "timed_out"} else logging.INFO
    logger.log(
        level,
        "job %s run %s %s (due %s, %.1f s)%s",
        name,
        run.pk,
        word,
        conf.load().local(run.scheduled_for).isoformat(timespec="seconds"),
        seconds,
        f": {history.one_line(reason)}" if reason else "",
        extra={"job": name, "run": run.pk, "status": word, "fire_time": run.scheduled_for},
    )


def _persist(step: Callable[[], T], place: Workplace, *, until_written: bool = False) -> T:
    """Do a step in the database, again and again while it is away; before a run starts a stop ends the waiting.

    Raises:
        Stopped: the runner stops and nothing has been started yet.
        NotRecorded: the step fails though the database answers, and nothing has been started yet.
    """
    tries = 0
    while True:
        if place.stopping() and not until_written:
            raise Stopped
        try:
            return step()
        except (Held, LeaseLost):
            raise
        except Exception as error:  # a trigger, a driver, or the database itself
            tries += 1
            _bear(error, tries, until_written=until_written)


def _bear(error: Exception, tries: int, *, until_written: bool) -> None:
    """Wait before the next try, if there is to be one."""
    is_away = is_outage(error)
    if isinstance(error, DatabaseError | InterfaceError):
        connection.drop(conf.load().database)
    elif not is_away:
        tries = max(2, tries)
    # A server may have closed a connection that was idle for long, and a job may have left one in disorder.
    if tries == 1:
        return
    if not is_away:
        if until_written:
            raise error
        raise NotRecorded from error
    if tries == 2:
        logger.error("%s, waiting: %s", *parted(error))
    time.sleep(RETRY_PAUSE)


def _start(firing: Firing) -> datetime:
    """Give the moment of the start: no run starts before its fire time, though the worker gets ready a bit earlier."""
    return max(_now(), firing.fire_time)


def _wait_for(firing: Firing) -> None:
    """Wait for the fire time; not when the clock was set back meanwhile, since the run is recorded already."""
    while timedelta(0) < (early := firing.fire_time - _now()) <= EARLY:
        time.sleep(early.total_seconds())


def _now() -> datetime:
    return datetime.now(UTC)
