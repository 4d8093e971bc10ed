"""The executor that hands runs over to the engine: a thread of its own, so that the runner's worker is free at once."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job as ScheduledJob
from django.db import connections

from . import conf, connection, engine, history, registry, tasks
from .books import RunnersBooks
from .exceptions import EngineError, LeaseLost
from .gate import Held, admit
from .history import Away, Firing, Queued
from .lease import Identity
from .messages import Messages
from .models import Job
from .outage import described, is_outage
from .worker import firing_of

logger = logging.getLogger("scheduler_bridge")

ALIAS: Final = "tasks"  # APScheduler's name of this executor
RETRY_PAUSE: Final = 1.0  # seconds between two tries while the database is away
# A run that no worker has taken up is handed over again, in case the engine has lost it; a double does no harm.
AGAIN: Final = timedelta(minutes=1)
AGAIN_AFTER_REFUSAL: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the executor tells the process it belongs to."""

    local: Callable[[Queued], None]  # this run is the runner's own after all
    look: Callable[[], None]  # what holds for the jobs has changed
    put_off: Callable[[str, datetime, Exception], None]  # a firing of this job cannot be recorded for now, and why
    failed: Callable[[BaseException], None]


class HandOver(BaseExecutor):
    """Hands over one run at a time; a job that has one under way waits here for the end of it."""

    def __init__(self, me: Identity, told: Told) -> None:
        super().__init__()
        self._me, self._books, self._told = me, RunnersBooks(me), told
        self._waiting: dict[str, Firing] = {}  # by APScheduler's job id, to be handed over
        self._busy: dict[str, Firing] = {}  # likewise, until the job is free
        self._again: dict[int, Away] = {}
        self._messages = Messages()
        self._changed = threading.Condition()
        self._at_work = self._held = self._closed = self._complained = False
        self._thread = threading.Thread(target=self._work, name="hand over", daemon=True)

    def start(self, scheduler: Any, alias: str) -> None:
        super().start(scheduler, alias)
        self._thread.start()

    def submit_job(self, job: ScheduledJob, run_times: list[datetime]) -> None:
        """Let a firing wait to be handed over; one of the same job that waits already is folded into it."""
        self._do_submit_job(job, run_times)

    def _do_submit_job(self, job: ScheduledJob, run_times: list[datetime]) -> None:
        backlog, job.kwargs["backlog"][0] = job.kwargs["backlog"][0], 0
        self.put(job.id, firing_of(job, run_times[-1], backlog))

    def put(self, job_id: str, firing: Firing) -> None:
        """Let a firing wait to be handed over, likewise."""
        with self._changed:
            self._waiting[job_id] = self._folded(job_id, firing)
            self._changed.notify_all()

    def _folded(self, job_id: str, firing: Firing) -> Firing:
        for place in (self._waiting, self._busy):
            before = place.pop(job_id, None)
            firing = firing if before is None else firing.folded_with(before)
        return firing

    def again(self, runs: Iterable[Away]) -> None:
        """Hand over again what no worker has taken up."""
        with self._changed:
            self._again.update({run.run_id: run for run in runs})
            self._changed.notify_all()

    def free(self, job_id: int) -> None:
        """Go on with what waits for the end of this job's run."""
        with self._changed:
            for key in [key for key, firing in self._busy.items() if firing.job_id == job_id]:
                self.put(key, self._busy.pop(key))

    def knows(self, job_id: str) -> bool:
        """Tell whether a firing of this job waits to be handed over."""
        with self._changed:
            return job_id in self._waiting or job_id in self._busy

    def hold(self, held: bool) -> None:
        """Hand nothing more over, or go on."""
        with self._changed:
            self._held = held
            self._changed.notify_all()

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing waits to be handed over."""
        with self._changed:
            return self._held or not (self._waiting or self._again or self._at_work)

    def shutdown(self, wait: bool = True) -> None:
        """Drop what waits: it is due, or queued, for the next runner."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _work(self) -> None:
        try:
            connection.be_own(conf.load().database)
            while (step := self._next()) is not None:
                step()
                with self._changed:
                    self._at_work = False
        except BaseException as error:  # without this thread nothing is handed over
            self._told.failed(error)
        finally:
            connections.close_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or (not self._held and (self._waiting or self._again)))
            if self._closed:
                return None
            self._at_work = True
            if self._waiting:
                job_id = next(iter(self._waiting))
                firing = self._waiting.pop(job_id)
                return lambda: self._hand_over(job_id, firing)
            away = self._again.pop(next(iter(self._again)))
            return lambda: self._persist(lambda: self._look_again(away), away.name, away.fire_time)

    def _hand_over(self, job_id: str, firing: Firing) -> None:
        try:
            self._persist(lambda: self._admit(job_id, firing), firing.name, firing.fire_time)
        except Held:
            with self._changed:
                self._held = True
                self.put(job_id, firing)
            self._told.look()

    def _admit(self, job_id: str, firing: Firing) -> None:
        now = datetime.now(UTC)
        admitted = admit(firing, now)
        if admitted is None or self._messages.has(firing.run_id):
            return
        if admitted.barred:
            self._books.skip(admitted, admitted.barred, max(now, firing.fire_time))
        elif not admitted.plan.queue.value:
            self._keep(firing)
        else:
            self._record(job_id, admitted.firing, admitted.plan.queue.value, now, admitted.next_run_at)

    def _keep(self, firing: Firing) -> None:
        """Leave a run to the runner's worker, since its job has no queue any more."""
        if firing.run_id is None:
            self._told.look()  # it is due, and timed anew with the next look at the job
        else:
            self._keep_run(firing.run_id)

    def _keep_run(self, run_id: int) -> None:
        self._messages.forget(run_id)
        if (queued := history.keep(run_id)) is not None:
            self._told.local(queued)

    def _record(self, job_id: str, firing: Firing, queue: str, now: datetime, next_run_at: datetime | None) -> None:
        for _ in range(2):  # the job may have become free between the two questions
            run_id = history.hand_over(firing, self._me, queue, now + AGAIN_AFTER_REFUSAL, next_run_at)
            if run_id is not None:
                logger.info("job %s run %s is handed over to queue %s", firing.name, run_id, queue)
                self._send(run_id, queue, 0)
                return
            if history.is_busy(firing.job_id):
                self._set_aside(job_id, firing)
                return

    def _set_aside(self, job_id: str, firing: Firing) -> None:
        """Let a firing, with what came since it was taken in hand, wait for the end of the run its job is busy with."""
        with self._changed:
            self._busy[job_id] = self._folded(job_id, firing)
        if not history.is_busy(firing.job_id):  # it ended after the question, and nobody was told of the one that waits
            self.free(firing.job_id)

    def _look_again(self, away: Away) -> None:
        """Hand a run over that no worker has taken up, as its job is to be handed over now."""
        if self._messages.is_out_of_date(away):
            return
        row = Job.objects.using(conf.load().database).filter(pk=away.job_id).first()
        queue = registry.queue_of(row) if row is not None else ""
        if not queue:
            self._keep_run(away.run_id)
            return
        if queue != away.queue:
            history.redirect(away.run_id, queue)
        elif self._messages.is_on_its_way(away):
            history.postpone(away.run_id, _after_as_long_again(away, datetime.now(UTC)))
            return
        self._send(away.run_id, queue, away.tries)

    def _send(self, run_id: int, queue: str, tries: int) -> None:
        try:
            engine.send(tasks.perform_run, run_id, queue)
        except EngineError as error:
            pause = min(AGAIN, AGAIN_AFTER_REFUSAL * 2 ** min(tries, 10))
            logger.log(logging.DEBUG if self._complained else logging.ERROR, "%s; it is tried again", error)
            self._complained = True
            self._note(run_id, tries, pause, taken=False)
        else:
            self._complained = False
            self._note(run_id, tries, _pause(tries), taken=True)

    def _note(self, run_id: int, tries: int, pause: timedelta, *, taken: bool) -> None:
        history.handed(run_id, datetime.now(UTC) + pause)
        self._messages.tried(run_id, tries, taken=taken)

    def _persist(self, step: Callable[[], None], name: str, fire_time: datetime) -> None:
        """Do a step in the database, again and again while it is away; one that is refused is put off."""
        tries = 0
        while not self._closed:
            try:
                return step()
            except (Held, LeaseLost):
                raise
            except Exception as error:  # a trigger, an engine, a driver, or the database itself
                connection.drop(conf.load().database)
                self._messages = Messages()  # one that goes on from a copy may give a number again
                if tries and not is_outage(error):
                    return self._told.put_off(name, fire_time, error)
                if tries:
                    time.sleep(RETRY_PAUSE)
                tries += 1
                logger.debug("not handed over yet: %s", described(error))
        return None


def _pause(tries: int) -> timedelta:
    pause: timedelta = AGAIN * 2 ** min(tries, 10)
    return min(LONGEST_PAUSE, pause)


def _after_as_long_again(away: Away, now: datetime) -> datetime:
    return now + min(LONGEST_PAUSE, max(AGAIN, now - (away.handed_at or now)))
