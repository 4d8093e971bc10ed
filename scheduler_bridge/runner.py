"""The process: threads, signals, start, reload, stop."""

import logging
import os
import signal
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Final

from django.db import DatabaseError, InterfaceError

from . import conf, connection, history, run, systemd
from .control import Control, Orders, Timetable
from .execution import console
from .execution.child_process import StopRequest
from .execution.origin import Origin
from .execution.spawner import Spawner
from .gate import Held
from .history import Firing
from .lease import Identity
from .models import Run
from .reporter import Reporter
from .scheduler import Scheduler
from .worker import OneWorker

logger = logging.getLogger("scheduler_bridge")

EXIT_STOPPED: Final = 0
EXIT_OCCUPIED: Final = 1  # only with --once: another process is the runner
EXIT_BROKEN: Final = 70  # EX_SOFTWARE: a thread of the runner died, or the lease was lost
EXIT_OUTDATED: Final = 75  # EX_TEMPFAIL: newer code was migrated; start again
CLOCK_STEP: Final = timedelta(seconds=2)  # what wall and monotonic clock may differ between two turns


class RunnerProcess:
    """One process that runs jobs until it is told to stop, or with ``once`` until nothing is due."""

    def __init__(self, *, once: bool = False) -> None:
        self.exit_code = EXIT_STOPPED
        self._once = once
        self._ready = threading.Event()
        self._stopping = self._hurried = self._patient = False
        self._end_run: StopRequest | None = None
        self._current: tuple[Run, bool] | None = None
        self._turn: tuple[datetime, float] | None = None
        self._applied = False
        self.reporter = Reporter()
        me = Identity.mine()
        settings = conf.load()
        self.spawner = Spawner(Origin.from_process(settings.hidden_environment), settings.spawn)
        self._place = run.Workplace(
            me=me,
            spawner=self.spawner,
            stop=lambda: self._end_run,
            stopping=lambda: self._stopping,
            entered=self._entered,
        )
        self.worker = OneWorker(self._perform, self._failed)
        self.scheduler = Scheduler(self.worker, self._turned)
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
            ),
        )

    def main(self) -> int:
        """Be the runner; give the exit code of the process."""
        console.install()
        connection.prepare_all()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        self.reporter.start()
        self.control.start()
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

    def _on_reload(self, number: int, frame: FrameType | None) -> None:
        self.control.reload()

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
        planned, queued = timetable.planned, timetable.queued
        if self._once:
            now = datetime.now(UTC)
            planned = tuple(replace(item, trigger=None) for item in planned if item.due and not self._applied)
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
        if self._once and self._applied and (self.worker.is_held or self.worker.is_idle) and not scheduler.is_due(now):
            self._stop(EXIT_STOPPED)

    def _perform(self, firing: Firing) -> run.Completion | None:
        try:
            completion = run.perform(firing, self._place)
        except run.Stopped:
            return None
        except Held:
            self.control.reload()
            raise
        if completion is not None and completion.owes_mail:
            self.reporter.look()
        return completion

    def _entered(self, entered: Run | None, internal: bool) -> None:
        self._current = None if entered is None else (entered, internal)
        systemd.notify("STATUS=running" if entered is None else f"STATUS=running {entered.job.name}")
        if entered is not None and not internal:
            self.control.wake()  # from now on the heartbeat is that of a busy runner

    def _leave(self) -> int:
        systemd.notify("STOPPING=1")
        self.worker.close()
        ended = self._wait_for_worker()
        self.reporter.stop()
        self.control.stop()
        self.control.join(5)
        self.reporter.join(0 if self._hurried else 10)
        self.spawner.close()
        if not ended:
            self._exit(self.exit_code)
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
            current = self._current
            if current is not None and current[1]:
                self._abandon(current[0])
                return False
            self._end_run = StopRequest("the runner was stopped")
            return self.worker.join(conf.load().kill_after.total_seconds() + 5)
        return True

    def _abandon(self, current: Run) -> None:
        try:
            history.abandon(current, "the runner was stopped and the job did not end in time", datetime.now(UTC))
        except (DatabaseError, InterfaceError) as error:
            logger.error("job %s run %s is recorded at the next start: %s", current.job.name, current.pk, error)

    def _failed(self, error: BaseException) -> None:
        """End the process at once: what is left of it is no runner. Its external run ends with it."""
        logger.critical("the runner ends: %s", error, exc_info=error)
        self._exit(EXIT_BROKEN)

    def _exit(self, code: int) -> None:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
