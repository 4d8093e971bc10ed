"""The process: threads, signals, start, reload, stop."""

import logging
import signal
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType
from typing import Final

from . import conf, connection, run, systemd
from .asking import Timed
from .away import News
from .books import RunnersBooks
from .control import Control
from .current import Current
from .exceptions import TriggerError
from .execution import console
from .execution.origin import Origin
from .execution.spawner import Spawner
from .fence import EXIT_BROKEN, Fence, leave
from .gate import Held
from .handing import HandOver, Told
from .history import Away, Firing, Queued
from .lease import Identity
from .live import LiveOutput
from .models import Run
from .object_text import text_of
from .orders import Orders, Timetable
from .renewal import Renewal
from .reporter import Reporter
from .scheduler import Scheduler
from .setbacks import Setbacks
from .worker import OneWorker

logger = logging.getLogger("scheduler_bridge")

EXIT_STOPPED: Final = 0
EXIT_OCCUPIED: Final = 1  # only with --once: another process is the runner
EXIT_OUTDATED: Final = 75  # EX_TEMPFAIL: newer code was migrated; start again
CLOCK_STEP: Final = timedelta(seconds=2)  # what wall and monotonic clock may differ between two turns


class RunnerProcess:
    """One process that runs jobs until it is told to stop, or with ``once`` until nothing is due."""

    def __init__(self, *, once: bool = False) -> None:
        self.exit_code = EXIT_STOPPED
        self._once = once
        self._ready = threading.Event()
        self._stopping = self._hurried = self._patient = False
        self._current = Current()
        self._turn: tuple[datetime, float] | None = None
        self._applied = False
        self.reporter = Reporter(self._failed)
        self.live = LiveOutput(self._failed)
        me = Identity.mine()
        settings = conf.load()
        self.spawner = Spawner(Origin.from_process(settings.hidden_environment), settings.spawn)
        self.fence = Fence(lambda: self.control.wake())
        renewal = Renewal(me, self.fence, lambda: self._turn)
        self._place = run.Workplace(
            books=RunnersBooks(me, renewal.freshen),
            spawner=self.spawner,
            stop=self._current.wish,
            stopping=lambda: self._stopping,
            entered=self._entered,
            live=self.live.of,
        )
        self.worker = OneWorker(self._perform, self._failed)
        self.setbacks = Setbacks(self._hand_over_again)
        told = Told(
            local=self._local,
            look=lambda: self.control.reload(),
            put_off=self.setbacks.met,
            failed=self._failed,
        )
        self.handing = HandOver(me, told)
        self.scheduler = Scheduler(self.worker, self.handing, self._turned, self._broke)
        self.control = Control(
            me,
            Orders(
                apply=self._apply,
                renew=self.spawner.renew,
                outdated=self._outdated,
                occupied=self._occupied,
                failed=self._failed,
                loop_at=lambda: self._turn,
                busy=lambda: not self.worker.is_idle,
                news=self._heard,
                asking=lambda: self.scheduler.asking.now,
                mail=self.reporter.look,
                between=lambda find: self.worker.between(lambda: self.reporter.look() if find() else None),
            ),
            renewal,
        )

    def main(self) -> int:
        """Be the runner; give the exit code of the process."""
        console.install()
        connection.prepare_all()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, lambda *_: self.control.reload())
        for thread in (self.reporter, self.live, self.control, self.fence):
            thread.start()
        self._ready.wait()
        if not self._stopping:
            if not self._once:
                self.spawner.prepare()
            systemd.notify("READY=1", "STATUS=running")
            self._loop()
        return self._leave()

    def _loop(self) -> None:
        try:
            self.scheduler.start()
        except Exception as error:  # a dead loop behind living threads would look alive
            self._failed(error)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._hurried = self._stopping and not self._patient
        self._stop(EXIT_STOPPED)

    def _stop(self, exit_code: int) -> None:
        self._patient = exit_code == EXIT_OUTDATED
        self._stopping, self.exit_code = True, exit_code
        self._ready.set()
        self.scheduler.end()

    def _outdated(self) -> None:
        if not self._stopping:
            logger.info("newer code was migrated: this runner ends after the current run, exit code %s", EXIT_OUTDATED)
            self._stop(EXIT_OUTDATED)

    def _occupied(self, text: str) -> bool:
        if self._once:
            logger.error("%s, so nothing is run here", text)
            self._stop(EXIT_OCCUPIED)
            return False
        logger.info("standby: %s", text)
        systemd.notify("READY=1", f"STATUS=standby: {text}")
        return True

    def _apply(self, timetable: Timetable) -> None:
        planned, queued, self._current.to_end = timetable.planned, timetable.queued, timetable.to_end
        if self._once:
            now = datetime.now(UTC)
            due = [item for item in planned if item.due and not self._applied]
            planned = tuple(replace(item, trigger=None, next_run_at=None) for item in due)  # nothing that comes later
            queued = tuple(item for item in queued if item.scheduled_for <= now)

        def wish(scheduler: Scheduler) -> None:
            scheduler.apply(planned, queued, timetable.held, again=timetable.again, gone=timetable.gone)
            self._applied = True

        if not (self._once and self._applied):
            self.scheduler.wish(wish)
        if not self._ready.is_set():
            self.reporter.look()  # the start may have abandoned runs
        self._ready.set()

    def _turned(self, scheduler: Scheduler, now: datetime) -> None:
        before, self._turn = self._turn, (now, time.monotonic())
        if before is not None:
            step = (now - before[0]) - timedelta(seconds=self._turn[1] - before[1])
            if abs(step) > CLOCK_STEP:
                logger.warning("the system clock was set by %.1f s", step.total_seconds())
                self.control.reload(again=True)
        if self._once and self._applied and self._is_done and not scheduler.is_due(now):
            self._stop(EXIT_STOPPED)

    def _broke(self, job: Timed, error: TriggerError) -> None:
        self.control.broke(job, error)

    def _tell(self, scheduler: Scheduler, away: Away, completion: run.Completion) -> None:
        scheduler.tell_of(away, completion)
        if not scheduler.is_handed_over(away.name):
            self.control.reload(again=True)  # it is the worker's own now, which could not start it meanwhile

    @property
    def _is_done(self) -> bool:
        return (self.worker.is_held or self.worker.is_idle) and self.handing.is_idle

    def _perform(self, firing: Firing) -> run.Completion | None:
        try:
            completion = run.perform(firing, self._place)
        except run.Stopped:
            return None
        except Held:
            self.control.reload()
            raise
        except run.NotRecorded as error:
            self.setbacks.met(firing.name, firing.fire_time, error)
            return None
        self.setbacks.over(firing.name)
        self.handing.free(firing.job_id)
        if completion is not None and completion.owes_mail:
            self.reporter.look()
        return completion

    def _hand_over_again(self, pause: float) -> None:
        """Let what is due, and was given up for now, be handed over again."""
        timer = threading.Timer(pause, self.control.reload, kwargs={"again": True})
        timer.daemon = True
        timer.start()

    def _local(self, queued: Queued) -> None:
        self.scheduler.wish(lambda scheduler: scheduler.submit((queued,)))

    def _heard(self, news: News) -> None:
        """Go on after runs that were handed over."""
        self.handing.again(news.again)
        for away, completion in news.ended:
            self.scheduler.wish(partial(self._tell, away=away, completion=completion))
            self.handing.free(away.job_id)
            if completion.owes_mail:
                self.reporter.look()

    def _entered(self, entered: Run | None, internal: bool) -> None:
        self._current.entered(entered, internal)
        self.fence.entered("" if entered is None else f"job {entered.job.name} run {entered.pk}")
        systemd.notify("STATUS=running" if entered is None else f"STATUS=running {entered.job.name}")
        if entered is not None and not internal:
            self.control.wake()  # from now on the heartbeat is that of a busy runner

    def _leave(self) -> int:
        systemd.notify("STOPPING=1")
        self.worker.close()
        self.handing.shutdown()
        ended = self._wait_for_worker()
        self.reporter.stop()
        self.live.stop()
        if ended:  # else the lease is kept: the job inside goes on until this process is gone
            self.control.stop()
            self.control.join(5)
        self.reporter.join(0 if self._hurried else 10)
        self.spawner.close()
        if not ended:
            leave(self.exit_code)
        console.uninstall()
        return self.exit_code

    def _wait_for_worker(self) -> bool:
        """Let the current run end within the grace, then end it; False when an internal one goes on."""
        deadline = None
        while not self.worker.join(0.1):
            if deadline is None and not self._patient:
                deadline = time.monotonic() + conf.load().stop_grace.total_seconds()
            if not self._hurried and (deadline is None or time.monotonic() < deadline):
                continue
            if self._current.is_internal:
                self._current.abandon()
                return False
            self._current.end("the runner was stopped")
            return self.worker.join(conf.load().kill_after.total_seconds() + 5)
        return True

    def _failed(self, error: BaseException) -> None:
        """End the process at once: what is left of it is no runner. Its external run ends with it."""
        leave(EXIT_BROKEN, lambda: logger.critical("the runner ends: %s", text_of(error), exc_info=error))
