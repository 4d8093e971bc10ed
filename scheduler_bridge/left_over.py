"""Runs that say they are running and are not: those of a runner that is gone, and those whose end was lost."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError, InterfaceError, transaction

from . import conf, connection, history, identity, lease
from .execution import child_process, mark
from .lease import Identity
from .models import Run
from .outage import described, is_outage

logger = logging.getLogger("scheduler_bridge")

GONE: Final = "its runner is gone"
LOST: Final = "the database has lost how it ended"
LEFT_ALONE: Final = "may still be running, left alone as it does not prove to belong to this very database"


def abandon(me: Identity, now: datetime, why: str = GONE) -> int:
    """End the processes that are left on this machine and close their runs; give how many."""
    return sum(give_up(run, me, now, why) for run in history.open_runs())


def give_up(run: Run, me: Identity, now: datetime, why: str) -> bool:
    """End the processes that a run has left on this machine and close it; False when it was closed already."""
    ended = tuple(_end_processes(run.marker))
    closed = history.abandon(run, why, now, ended=ended)
    if closed:
        _log(run, why)
    return closed


def _end_processes(marker: str) -> Iterator[str]:
    """End what is proved to belong to a run that is recorded in this very database; say what ended, and what did not.

    All that is seen from here is looked at, whatever the name of the host: two may share one, and one may have several.
    """
    if not marker:
        return
    database = identity.known()
    whole = mark.proved(marker, database)
    if database:
        yield from child_process.sweep([whole])
    yield from (f"{LEFT_ALONE}: {name}" for name in child_process.left_alone(marker, whole if database else ""))


def find_lost(me: Identity) -> int:
    """Close the runs whose end is not known any more, while the runner has none in hand; give how many.

    A database that goes on from a copy, or from a backup, may have lost what was written last.
    """
    for _ in range(2):  # a connection that was idle may be broken
        try:
            with transaction.atomic(using=conf.load().database):
                lease.confirm(me)
                return abandon(me, datetime.now(UTC), LOST)
        except (DatabaseError, InterfaceError) as error:
            connection.drop(conf.load().database)
            level = logging.DEBUG if is_outage(error) else logging.ERROR
            logger.log(level, "not looked for runs whose end was lost: %s", described(error))
    return 0


def _log(run: Run, why: str) -> None:
    logger.warning(
        "job %s run %s abandoned (due %s): %s",
        run.job.name,
        run.pk,
        conf.load().local(run.scheduled_for).isoformat(timespec="seconds"),
        why,
        extra={"job": run.job.name, "run": run.pk, "status": "abandoned", "fire_time": run.scheduled_for},
    )
