"""What is said of a queue that nobody serves, and what to do about it."""

from datetime import datetime

from django.utils.translation import gettext as _

from .. import queues
from ..plan import JobPlan
from ..queues import Queue
from . import presentation


def unserved(queue: Queue, now: datetime) -> str:
    """Say that nobody serves a queue, and since when a run waits there."""
    values = {"queue": queue.name, "at": presentation.near(queue.waits_since, now)}
    if queue.sign_at is None:
        return _("Nobody serves queue %(queue)s: a run waits since %(at)s, and no worker of it is known.") % values
    values["sign"] = presentation.near(queue.sign_at, now)
    return _("Nobody serves queue %(queue)s: a run waits since %(at)s; last sign of a worker: %(sign)s.") % values


def advice(queue: Queue) -> str:
    """Say what to do."""
    text = _("Start a worker of the engine that takes tasks of queue %(queue)s, or see what keeps the workers busy.")
    return text % {"queue": queue.name}


def warning(plan: JobPlan, now: datetime) -> tuple[str, ...]:
    """Give the lines of a warning at a job whose queue nobody serves; none otherwise."""
    if not plan.queue.value:
        return ()
    queue = queues.look(now).queue(plan.queue.value)
    if queue.is_served:
        return ()
    return unserved(queue, now), advice(queue), _("Or let the job run elsewhere: see below.")
