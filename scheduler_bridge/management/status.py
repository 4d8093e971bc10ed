"""The answer of ``scheduledjobs status``: whether a runner is alive and starts what is due, and how queues stand."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.db import DatabaseError
from django.utils.translation import gettext as _

from scheduler_bridge import conf, diagnosis, engine, history, lease, queues, stuck
from scheduler_bridge.diagnosis import Gate
from scheduler_bridge.lease import Holder
from scheduler_bridge.management import listing
from scheduler_bridge.models import Runner
from scheduler_bridge.queues import Look, Queue
from scheduler_bridge.stuck import StuckJob

NOT_ALIVE: Final = 2  # exit codes; the first that fits
UNSERVED: Final = 3
STUCK: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What was found."""

    gate: Gate
    holder: Holder | None = None
    held: bool = False
    look: Look = Look()
    stuck: tuple[StuckJob, ...] = ()

    @property
    def exit_code(self) -> int:
        if not self.gate.passed:
            return NOT_ALIVE
        if self.look.unserved:
            return UNSERVED
        return STUCK if self.stuck else 0


def status(now: datetime) -> Status:
    """Return the state of the runner, of overdue jobs and of the queues where there are any; an outage is an answer."""
    try:
        holder = lease.holder()
        held = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW, held=True).exists()
        look = queues.look(now, held=held) if engine.is_used() or history.is_any_handed() else Look()
        gate = diagnosis.runner_gate(holder, now)
        overdue = stuck.stuck_jobs(now) if gate.passed and not held else ()
    except DatabaseError as error:
        text = _("the database does not answer: %(error)s") % {"error": " ".join(str(error).split())}
        return Status(gate=Gate(name="runner", passed=False, text=text))
    return Status(gate=gate, holder=holder, held=held, look=look, stuck=overdue)


def values(found: Status) -> dict[str, Any]:
    """Give it for programs."""
    return {
        "alive": found.gate.passed,
        "text": found.gate.text,
        "held": found.held,
        "runner": asdict(found.holder) if found.holder else None,
        "queues": [asdict(queue) for queue in found.look.queues],
        "hosts": [asdict(host) for host in found.look.hosts],
        "stuck": [asdict(job) for job in found.stuck],
    }


def lines(found: Status) -> Iterator[str]:
    """Give it for people."""
    yield found.gate.text + (f", {_('on hold')}" if found.held else "")
    if found.look.queues:
        head = [_("queue"), _("waiting"), _("running"), _("oldest waits since"), _("last sign of a worker")]
        yield from listing.aligned([head, *(_cells(queue) for queue in found.look.queues)])
    if found.look.hosts:
        head = [_("host"), _("running"), _("last sign"), _("queues")]
        rows = [
            [host.name, str(host.running), diagnosis.clock(host.sign_at), ", ".join(host.queues)]
            for host in found.look.hosts
        ]
        yield from listing.aligned([head, *rows])
    for queue in found.look.unserved:
        yield unserved_words(queue)
    for job in found.stuck:
        yield f"{job.name}: {diagnosis.stuck_words(job)}"


def unserved_words(queue: Queue) -> str:
    """Say that nobody serves a queue."""
    values = {"queue": queue.name, "at": _clock(queue.waits_since)}
    return _("nobody serves queue %(queue)s: a run waits for a worker since %(at)s") % values


def _cells(queue: Queue) -> list[str]:
    counts = [str(queue.waiting), str(queue.running)]
    return [queue.name, *counts, _clock(queue.waits_since), _clock(queue.sign_at)]


def _clock(moment: datetime | None) -> str:
    return diagnosis.clock(moment) if moment else "-"
