"""The runner's side of the launcher: starts it, asks it for supervisors, replaces one that is dead or out of date."""

import logging
import os
import threading
import time
from typing import Final

from .launcher_process import LauncherProcess, Lost
from .origin import Origin
from .supervisor import Pipes

logger = logging.getLogger("scheduler_bridge")

RETRY_AFTER: Final = 60.0  # seconds before a launcher that could not load the project is tried again
TRIES: Final = 3


class Spawner:
    """Starts external runs by way of a launcher; safe from any thread."""

    def __init__(self, origin: Origin, way: str) -> None:
        """Note how to start; nothing is started yet.

        Args:
            way: "exec" starts a new program for each job, "fork" forks one that has loaded the project already,
                "auto" forks where a fork is as good as a new program.
        """
        self.origin = origin
        self._way = way
        self._lock = threading.Lock()
        self._launcher: LauncherProcess | None = None
        self._preload_from = float("-inf")  # the monotonic time from which the project may be loaded again
        self._outdated = False

    def prepare(self) -> None:
        """Start the launcher if there is none, without waiting for it."""
        with self._lock:
            if self._launcher is None:
                self._launcher = self._start()

    def renew(self) -> None:
        """Let the launcher load the project anew, at the latest for the next run; does not wait."""
        self._outdated = True
        if self._lock.acquire(blocking=False):
            try:
                self._follow()
            finally:
                self._lock.release()

    def spawn(self) -> Pipes:
        """Give the runner's ends of the pipes to a supervisor that waits to be told what to do.

        Raises:
            OSError: no launcher can be started, or none answers.
        """
        with self._lock:
            self._follow()
            for _ in range(TRIES):
                try:
                    return self._hand_over()
                except Lost as error:
                    logger.warning("the launcher of external jobs is replaced: %s", error)
                    self._replace()
        raise OSError(f"expected a launcher that starts the job, got none in {TRIES} tries")

    def _hand_over(self) -> Pipes:
        ours, theirs = _pipes()
        try:
            refusal = self._ready().hand_over(theirs)
        except BaseException:
            ours.close()  # a supervisor that has the other ends goes with these: nothing is started twice
            raise
        finally:
            theirs.close()
        if refusal:
            logger.info("this job is started anew and the launcher is replaced: %s", refusal)
            self._replace()
        return ours

    def close(self) -> None:
        """End the launcher; what it has started goes on. One that is still loading ends with this process."""
        if self._lock.acquire(timeout=1):
            try:
                if self._launcher is not None:
                    self._launcher.end()
                self._launcher = None
            finally:
                self._lock.release()

    def _follow(self) -> None:
        if self._outdated and self._way != "exec":
            self._outdated, self._preload_from = False, float("-inf")
            if self._launcher is not None:
                self._replace()

    def _replace(self) -> None:
        if self._launcher is not None:
            self._launcher.end()
        self._launcher = self._start()

    def _start(self) -> LauncherProcess:
        return LauncherProcess(self.origin, self._way if self._may_preload() else "exec")

    def _ready(self) -> LauncherProcess:
        """Give a launcher that serves; one that cannot fork the project's jobs gives way to one that starts them."""
        if self._launcher is None or (not self._launcher.preloads and self._may_preload()):
            self._replace()
        while self._launcher is not None:
            launcher = self._launcher
            try:
                unfit, again = launcher.unfit(), float("inf")
            except Lost as error:
                if not launcher.preloads:
                    raise
                unfit, again = str(error), time.monotonic() + RETRY_AFTER
            if not unfit:
                return launcher
            logger.warning("external jobs are not forked but started anew: %s", unfit)
            self._preload_from = again
            self._replace()
        raise Lost("it was ended")

    def _may_preload(self) -> bool:
        return self._way != "exec" and time.monotonic() >= self._preload_from


def _pipes() -> tuple[Pipes, Pipes]:
    """Give the runner's ends and the supervisor's."""
    task, control = os.pipe()
    output, printed = os.pipe()
    report, ended = os.pipe()
    return Pipes(control, output, report), Pipes(task, printed, ended)
