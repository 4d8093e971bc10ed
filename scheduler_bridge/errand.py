"""A run that was handed over, performed in the process of an engine's worker as the runner would have done it."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError, InterfaceError

from . import changes, conf, connection, history, identity, registry
from .execution.origin import Origin
from .execution.spawner import Spawner
from .gate import Admitted, Held
from .heartbeat import Heartbeat
from .history import Firing
from .lease import Identity
from .models import Cause, Job, Run
from .object_text import error_text
from .outage import is_outage
from .run import Completion, Workplace
from .run import perform as perform_firing

logger = logging.getLogger("scheduler_bridge")

_spawners: Final[dict[int, tuple[str, Spawner]]] = {}  # by the process, since engines fork their workers


@dataclass(frozen=True, slots=True)
class WorkersBooks:
    """A worker records a run by having taken it up."""

    me: Identity
    claimed: Callable[[Run], None]

    def claim(self, admitted: Admitted, now: datetime) -> Run | None:
        """Record a run before it starts; None when another worker has taken it up."""
        later, next_run_at = _due_meanwhile(admitted.firing, now)
        run = history.take_up(admitted.firing, later, self.me, now, next_run_at)
        if run is not None:
            self.claimed(run)
        return run

    def skip(self, admitted: Admitted, reason: str, now: datetime) -> None:
        """Record that a run is not started."""
        history.skip_away(admitted.firing, reason, now)

    def confirm(self) -> None:
        """Leave it to the heartbeat whether the run is still ours."""


def perform(run_id: int) -> Completion | None:
    """Perform a run that was handed over; None when another worker has taken it up, or nobody is to."""
    firing = _waiting(run_id)
    if firing is None:
        logger.info("run %s was taken up already, or is not to be performed any more", run_id)
        return None
    heartbeat = Heartbeat()
    place = Workplace(
        books=WorkersBooks(Identity.mine(), heartbeat.claimed),
        spawner=_spawner(),
        stop=heartbeat.wish,
        stopping=lambda: False,
        entered=lambda *_run: None,
        until=heartbeat.until,
        enduring=False,
    )
    try:
        completion = perform_firing(firing, place)
    except Held:
        history.give_back(run_id)
        return None
    except BaseException as error:  # such as the engine's own limit of time
        _interrupted(heartbeat.run, error)
        raise
    finally:
        heartbeat.stop()
    changes.announce()
    return completion


def _waiting(run_id: int) -> Firing | None:
    try:
        return _seen(run_id)
    except (DatabaseError, InterfaceError) as error:
        if not is_outage(error):
            raise
        connection.drop(conf.load().database)  # the server may have closed it while this worker was idle
        return _seen(run_id)


def _seen(run_id: int) -> Firing | None:
    if identity.is_replaced():
        connection.drop(conf.load().database)
    identity.learn(conf.load().database)
    return history.waiting(run_id)


def _interrupted(run: Run | None, error: BaseException) -> None:
    """Record that the engine has broken a run off; the processes of the job ended with the pipe to them."""
    if run is None:
        return
    reason = f"its worker was interrupted: {error_text(error)}"
    try:
        if history.break_off(run, reason, datetime.now(UTC)):
            changes.announce()
    except (DatabaseError, InterfaceError) as refusal:
        logger.error("run %s: %s; the runner gives it up when no heartbeat comes (%s)", run.pk, reason, refusal)


def _due_meanwhile(firing: Firing, now: datetime) -> tuple[Firing | None, datetime | None]:
    """Give what became due while a scheduled run waited for a worker, and when the job is due after it."""
    row = Job.objects.using(conf.load().database).filter(pk=firing.job_id).first()
    if row is None or firing.cause != Cause.SCHEDULE:
        return None, None
    plan = registry.plan_of(row)
    trigger = registry.trigger_of(plan, row, now) if plan.enabled.value else None
    due = registry.due(row, trigger, now)
    if trigger is None or due is None:
        return None, None
    later = replace(firing, fire_time=due.latest, coalesced=due.coalesced, schedule_key=row.schedule_key)
    return later, registry.following(trigger, max(now, due.latest))


def _spawner() -> Spawner:
    """Give what starts the job: for the first one of a process a new program, for later ones as the settings say.

    Loading the project once for many jobs pays only where a worker's process performs more than one.
    """
    pid, settings = os.getpid(), conf.load()
    known = _spawners.get(pid)
    if known is not None and known[0] == settings.spawn:
        return known[1]
    way = "exec" if known is None else settings.spawn
    if known is None:
        connection.prepare_all()
        _spawners.clear()  # those of the process that this one was forked from
    else:
        known[1].close()
    spawner = Spawner(Origin.from_worker(settings.hidden_environment), way)
    _spawners[pid] = (way, spawner)
    return spawner
