"""The executor: one worker thread, and the firings that wait for it."""

import heapq
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, Final

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.executors.base import BaseExecutor
from apscheduler.job import Job as ScheduledJob

from . import conf, connection
from .gate import Held
from .history import PRIORITY, Firing, Queued
from .models import FAILURES
from .run import Completion

# How long the worker waits for the loop to hand it the runs that were just chained.
CHAIN_WAIT: Final = 5.0  # seconds


class OneWorker(BaseExecutor):
    """Executes one firing at a time in a thread of its own; what waits can be looked at, folded and dropped."""

    def __init__(self, execute: Callable[[Firing], Completion | None], failed: Callable[[BaseException], None]) -> None:
        super().__init__()
        self._execute, self._failed = execute, failed
        self._waiting: dict[str, Firing] = {}  # by APScheduler's job id
        self._heap: list[tuple[int, datetime, int, str]] = []
        self._number = count()
        self._changed = threading.Condition()
        self._expected: set[str] = set()
        self._errand: Callable[[], None] | None = None
        self._current: str | None = None
        self._early: Firing | None = None  # the one that was begun before the loop hands it over
        self._is_handed = False  # the loop has handed it over since
        self._held = self._closed = False
        # A daemon: an internal job that does not end must not keep the process alive past its grace.
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def start(self, scheduler: Any, alias: str) -> None:
        super().start(scheduler, alias)
        self._thread.start()

    def begin(self, job: ScheduledJob) -> None:
        """Let a worker without work begin with what is due in a moment; the loop hands it over again when it is."""
        firing = firing_of(job, job.next_run_time, 0)
        with self._changed:
            idle = self._current is None and not self._waiting and not self._expected
            if idle and not self._held and firing != self._early and not job.kwargs["backlog"][0]:
                self._early, self._is_handed = firing, False
                self._push(job.id, firing)
                self._changed.notify_all()

    def submit_job(self, job: ScheduledJob, run_times: list[datetime]) -> None:
        """Let a firing wait; a job that waits already takes further fire times into its own."""
        self._do_submit_job(job, run_times)

    def _do_submit_job(self, job: ScheduledJob, run_times: list[datetime]) -> None:
        backlog, job.kwargs["backlog"][0] = job.kwargs["backlog"][0], 0
        firing = firing_of(job, run_times[-1], backlog)
        with self._changed:
            if firing == self._early:
                self._is_handed = True
                return
            waiting = self._waiting.get(job.id)
            if waiting is None:
                self._push(job.id, firing)
            elif firing.fire_time > waiting.fire_time:
                coalesced = waiting.coalesced + 1 + firing.coalesced
                self._waiting[job.id] = replace(firing, coalesced=coalesced)
            self._expected.discard(job.id)
            self._changed.notify_all()

    def _push(self, job_id: str, firing: Firing) -> None:
        self._waiting[job_id] = firing
        heapq.heappush(self._heap, (PRIORITY[firing.cause], firing.fire_time, next(self._number), job_id))

    def hold(self, held: bool) -> None:
        """Start nothing more, or go on."""
        with self._changed:
            self._held = held
            self._changed.notify_all()

    def knows(self, job_id: str) -> bool:
        """Tell whether a firing of this job waits or is executed now."""
        with self._changed:
            return job_id in self._waiting or job_id == self._current

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing waits and nothing is executed."""
        with self._changed:
            return self._current is None and not self._waiting and not self._expected

    @property
    def is_held(self) -> bool:
        """Tell whether nothing more is started for now."""
        with self._changed:
            return self._held

    def between(self, errand: Callable[[], None]) -> None:
        """Let the worker do something as soon as it has no run in hand, on hold too."""
        with self._changed:
            self._errand = errand
            self._changed.notify_all()

    def close(self) -> None:
        """Drop what waits and start nothing more; what is executed now goes on."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._heap.clear()
            self._changed.notify_all()

    def join(self, timeout: float | None) -> bool:
        """Wait until the worker has ended, at most so many seconds; True when it has."""
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def shutdown(self, wait: bool = True) -> None:
        self.close()

    def _work(self) -> None:
        try:
            while (step := self._take()) is not None:
                connection.be_own(conf.load().database)  # a job may have left another one in its place
                step()
        except BaseException as error:  # the worker is lost, so the process must end
            self._failed(error)

    def _take(self) -> Callable[[], None] | None:
        with self._changed:
            if self._expected and not self._changed.wait_for(lambda: self._closed or not self._expected, CHAIN_WAIT):
                self._expected.clear()  # they are queued in the database, so a reload brings them
            self._changed.wait_for(lambda: self._closed or self._errand or (self._heap and not self._held))
            if self._closed:
                return None
            if self._errand is not None:
                errand, self._errand = self._errand, None
                return errand
            job_id = heapq.heappop(self._heap)[3]
            self._current = job_id
            return partial(self._do, job_id, self._waiting.pop(job_id))

    def _do(self, job_id: str, firing: Firing) -> None:
        completion: Completion | None = None
        try:
            completion = self._execute(firing)
        except Held:
            self._put_back(job_id, firing)
        finally:
            with self._changed:
                self._current = None
                if completion is None and firing == self._early:
                    self._forget_early(job_id, firing)
                if completion is not None and not self._closed:
                    self._expected |= {run_id_text(queued) for queued in completion.chained}
        self._scheduler._dispatch_event(event_of(job_id, firing.fire_time, completion))

    def _forget_early(self, job_id: str, firing: Firing) -> None:
        """Go by the loop again, as nothing came of what was begun early: its job may have been changed meanwhile.

        What is still due is handed over once more. Where that was done already, the loop does not do it again.
        """
        self._early = None
        if self._is_handed and not self._closed and job_id not in self._waiting:
            self._push(job_id, firing)

    def _put_back(self, job_id: str, firing: Firing) -> None:
        with self._changed:
            self._held = True
            later = self._waiting.get(job_id)
            if later is None:
                self._push(job_id, firing)
            else:
                self._waiting[job_id] = replace(later, coalesced=later.coalesced + 1 + firing.coalesced)


def run_id_text(queued: Queued) -> str:
    """Give APScheduler's id of a queued run; no job's name looks like it."""
    return f"run:{queued.run_id}"


def firing_of(job: ScheduledJob, fire_time: datetime, backlog: int) -> Firing:
    """Give what the loop hands over as a value of ours, with the fire times that it folds in."""
    firing: Firing = job.kwargs["firing"]
    if firing.run_id is not None:
        return firing
    coalesced = backlog + job.trigger.coalesced(job.next_run_time, fire_time)
    return replace(firing, fire_time=fire_time.astimezone(UTC), coalesced=coalesced)


def event_of(job_id: str, fire_time: datetime, completion: Completion | None) -> JobExecutionEvent:
    """Give APScheduler's event for a run that has ended."""
    failed = completion is not None and completion.status in FAILURES
    error = RuntimeError(completion.reason) if completion and failed else None
    code = EVENT_JOB_ERROR if failed else EVENT_JOB_EXECUTED
    return JobExecutionEvent(code, job_id, "default", fire_time, retval=completion, exception=error)
