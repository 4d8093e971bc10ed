"""The APScheduler side: the memory store and the loop on the main thread; it is handed what to execute."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any, Final

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from django_apscheduler.jobstores import DjangoMemoryJobStore

from .asking import Asking, LoopTrigger, Timed
from .exceptions import TriggerError
from .handing import ALIAS, HandOver
from .history import Away, Firing, Queued
from .models import Cause
from .registry import Planned
from .run import EARLY, Completion
from .triggers import resumed, weight
from .worker import OneWorker, event_of, run_id_text

# The loop looks at the wall clock at least so often, since its waiting follows the monotonic one.
LONGEST_WAIT: Final = 15.0  # seconds

Wish = Callable[["Scheduler"], None]


class Store(DjangoMemoryJobStore):
    """django-apscheduler's memory store; its ledger is written with the runs, not by listeners on the loop."""

    def start(self, scheduler: Any, alias: str) -> None:
        MemoryJobStore.start(self, scheduler, alias)


class Scheduler(BlockingScheduler):
    """The loop on the main thread: wishes in, due jobs to the worker; no database, and nobody else calls it."""

    def __init__(
        self,
        worker: OneWorker,
        handing: HandOver,
        turned: Callable[["Scheduler", datetime], None],
        broke: Callable[[Timed, TriggerError], None],
    ) -> None:
        self.store = Store()
        executors = {"default": worker, ALIAS: handing}
        super().__init__(timezone=UTC, jobstores={"default": self.store}, executors=executors)
        self.worker, self.handing = worker, handing
        self._turned = turned
        self.asking = Asking(broke)
        self._wishes: SimpleQueue[Wish] = SimpleQueue()
        self._ending = False
        self._event = threading.Event()
        self.add_listener(self._completed, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)

    def wish(self, wish: Wish) -> None:
        """Ask the loop to do something; the one way in for every other thread."""
        self._wishes.put(wish)
        self._event.set()

    def end(self) -> None:
        """Leave the loop at its next turn; safe in a signal handler."""
        self._ending = True
        self._event.set()

    def apply(
        self,
        planned: Sequence[Planned],
        queued: Sequence[Queued],
        held: bool,
        *,
        again: bool = False,
        gone: Iterable[str] | None = None,
    ) -> None:
        """Time the jobs as planned: only those that changed, or all of them again after a step of the clock.

        Args:
            gone: the jobs that are planned no more, where ``planned`` holds only some; None: it holds all there are.
        """
        self.worker.hold(held)
        self.handing.hold(held)
        for name in self._unplanned(planned) if gone is None else gone:
            if self.get_job(name) is not None:
                self.remove_job(name)
        for item in planned:
            known = self.get_job(item.name)
            if again or known is None or known.kwargs["key"] != item.key:
                self._time(item)
        self.submit(queued)

    def _unplanned(self, planned: Sequence[Planned]) -> set[str]:
        return {job.id for job in self.get_jobs() if not job.id.startswith("run:")} - {item.name for item in planned}

    def submit(self, queued: Sequence[Queued]) -> None:
        """Take up queued runs; one that is known already is passed over."""
        for item in queued:
            job_id = run_id_text(item)
            if self.get_job(job_id) is None and not self.worker.knows(job_id) and not self.handing.knows(job_id):
                firing = Firing(
                    job_id=item.job_id,
                    name=item.name,
                    cause=item.cause,
                    fire_time=item.scheduled_for,
                    run_id=item.run_id,
                )
                self._add(job_id, DateTrigger(item.scheduled_for, UTC), firing, "", item.queue)

    def tell_of(self, away: Away, completion: Completion) -> None:
        """Let the listeners know of a run that a worker of the engine has ended."""
        job_id = away.name if away.cause == Cause.SCHEDULE else f"run:{away.run_id}"
        self._dispatch_event(event_of(job_id, away.fire_time, completion))

    def is_handed_over(self, name: str) -> bool:
        """Tell whether the runs of this job are handed over, or it has none to come."""
        job = self.get_job(name)
        return job is None or job.executor == ALIAS

    def is_due(self, now: datetime) -> bool:
        """Tell whether the loop has something to hand to the worker already."""
        first = self.store.get_next_run_time()
        return first is not None and first <= now

    def _time(self, item: Planned) -> None:
        start = item.due.latest if item.due else item.next_run_at
        if start is None:
            return
        job = Timed(item.name, item.key)
        only_due = DateTrigger(start, UTC), item.due.coalesced if item.due else 0
        trigger, backlog = self.asking.ask(job, lambda: _going_on(item, start), only_due)
        firing = Firing(job_id=item.job_id, name=item.name, cause=Cause.SCHEDULE, fire_time=start, coalesced=backlog)
        self._add(item.name, LoopTrigger(trigger, job, self.asking), firing, item.key, item.queue)

    def _add(self, job_id: str, trigger: Any, firing: Firing, key: str, queue: str) -> None:
        self.add_job(
            _ticket,
            trigger,
            id=job_id,
            kwargs={"firing": firing, "key": key, "backlog": [firing.coalesced]},
            next_run_time=firing.fire_time,
            executor=ALIAS if queue else "default",
            replace_existing=True,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )

    def _completed(self, event: JobExecutionEvent) -> None:
        completion = event.retval
        if completion is not None and completion.chained:
            self.wish(lambda scheduler: scheduler.submit(completion.chained))
        elif self.worker.is_idle:
            self._event.set()  # to look whether that was all

    def _main_loop(self) -> None:
        wait: float | None = 0.0
        while not self._ending:
            self._wait(LONGEST_WAIT if wait is None else min(wait, LONGEST_WAIT))
            wait = self._process_jobs()

    def _wait(self, seconds: float) -> None:
        """Wait for a wish or the next fire time, shortly before which the worker begins."""
        end = time.monotonic() + seconds
        early = EARLY.total_seconds()
        if seconds > early and not self._event.wait(seconds - early):
            due = self.store.get_due_jobs(datetime.now(UTC) + EARLY)
            for job in [job for job in due if job.executor == "default"][:1]:
                self.worker.begin(job)
        self._event.wait(max(0.0, end - time.monotonic()))
        self._event.clear()

    def _process_jobs(self) -> float | None:
        """Do one turn: wishes first, then what is due; a stopping loop touches nothing, so no fire time is eaten."""
        if self._ending:
            return None
        try:
            while not self._ending:
                self._wishes.get_nowait()(self)
        except Empty:
            pass
        self._turned(self, datetime.now(UTC))
        wait: float | None = None if self._ending else super()._process_jobs()
        return wait


def _going_on(item: Planned, start: datetime) -> tuple[BaseTrigger, int]:
    """Return the trigger by which a job goes on from this fire time, and how many fire times that one stands for."""
    trigger = item.trigger or DateTrigger(start, UTC)
    if not item.due:
        return trigger, 0
    trigger = resumed(trigger, start, item.next_run_at)
    # The latest one is weighed when it is submitted.
    return trigger, max(0, item.due.coalesced + 1 - weight(trigger, start))


def _ticket(**details: object) -> None:
    """Stand where APScheduler wants a function: the worker is handed the firing itself."""
