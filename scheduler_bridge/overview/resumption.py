"""What a resume starts: the line as it would run from this moment on, and until when; and what it hands over."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from .. import past
from ..models import Status
from . import course
from .current import Running, open_runs, running
from .queue import Place, Waiting, following, line_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """What would run, in the order of the worker."""

    running: Running | None  # what goes on before
    line: tuple[Place, ...]
    outward: tuple[Waiting, ...]  # what is handed over, or waits for a worker of the engine already
    ends_at: datetime  # when all of it is done, as far as history tells
    is_known: bool  # history tells it of all of them


def resumption(waiting: Iterable[Waiting], now: datetime) -> Resumption:
    """Say when each of these would start if the runner resumed now, in a statement for 200 jobs and two others."""
    runs = [run for run in open_runs() if run.status != Status.RUNNING or not run.queue]
    asked = {run.pk: run.requested_by for run in runs}
    found = [replace(item, requested_by=asked.get(item.run_id or 0, "")) for item in waiting]
    items = [item for item in found if not item.queue]
    wanted = {item.name: item.job_id for item in items}
    wanted |= {run.job.name: run.job_id for run in runs if run.status == Status.RUNNING}
    chains = course.chains_of(wanted)
    ids = {**course.following_ids(chains), **wanted}
    history = past.recent(list(ids.values()))
    known = course.course(ids, chains, history)
    current = next(iter(running(runs, history)), None)
    busy = current.busy(now, following(current.name, known)) if current else None
    line = line_up(items, now, known, busy)
    ends_at = line[-1].ends_at if line else busy.free_at if busy else now
    outward = tuple(item for item in found if item.queue)
    return Resumption(running=current, line=line, outward=outward, ends_at=ends_at, is_known=_is_known(line))


def _is_known(line: tuple[Place, ...]) -> bool:
    if not line:
        return True
    last = line[-1]
    return last.is_known and all(span is not None for span in (last.takes, *(one.takes for one in last.then)))
