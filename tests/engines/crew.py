"""Keeps the workers of an engine alive, as systemd would, and knows which of their processes is which."""

import contextlib
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from tests.chaos.keeper import MARKER, RESTART_PAUSE, environment, is_alive, marked

from .kinds import Engine

WORKERS: Final = 4


class Crew:
    """Four workers, each started again whenever it ends, unless they are to rest."""

    def __init__(self, engine: Engine, variables: dict[str, str], folder: Path) -> None:
        self._engine, self._variables, self._folder = engine, variables, folder
        self._workers: list[subprocess.Popen[bytes] | None] = [None] * WORKERS
        self._ending, self._working = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self.exits: Counter[int] = Counter()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def work(self) -> None:
        """Start all, and keep them."""
        self._working.set()

    def rest(self) -> None:
        """Kill all, and start none until they are to work again."""
        with self._lock:
            self._working.clear()
        self.kill_all()

    def _keep(self) -> None:
        while not self._ending.wait(RESTART_PAUSE):
            with self._lock:
                if self._working.is_set():
                    self._start_missing()

    def _start_missing(self) -> None:
        for number, worker in enumerate(self._workers):
            if not is_alive(worker):
                if worker is not None:
                    self.exits[worker.returncode] += 1
                self._workers[number] = self._launch(number)

    def _launch(self, number: int) -> subprocess.Popen[bytes]:
        with (self._folder / f"worker{number}.log").open("ab") as log:
            return subprocess.Popen(
                self._engine.worker(number),
                env=self._variables,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def heads(self) -> list[psutil.Process]:
        """Give the first process of each worker that lives."""
        found = []
        for worker in self._workers:
            if is_alive(worker):
                with contextlib.suppress(psutil.NoSuchProcess):
                    found.append(psutil.Process(worker.pid))
        return found

    def performs(self, marker: str) -> psutil.Process | None:
        """Give the first process of the worker that performs this run."""
        heads = {head.pid: head for head in self.heads()}
        for process, mark in marked(self._folder):
            if mark == marker:
                with contextlib.suppress(psutil.NoSuchProcess):
                    for parent in process.parents():
                        if parent.pid in heads:
                            return heads[parent.pid]
        return None

    def kill_all(self) -> None:
        """Kill all workers at one moment; what supervises their jobs lives on."""
        with self._lock:  # so that none of them is replaced before it is gone
            kill([process for head in self.heads() for process in whole(head)])
            for worker in self._workers:
                if worker is not None:
                    worker.wait()

    def stop(self) -> None:
        """Ask all to end, and keep them no more.

        Raises:
            subprocess.TimeoutExpired: one did not end.
        """
        self._end_keeping()
        for worker in self._workers:
            if is_alive(worker):
                worker.send_signal(signal.SIGTERM)
        for worker in self._workers:
            if worker is not None:
                self.exits[worker.wait(30)] += 1

    def close(self) -> None:
        """Leave nothing alive, whatever happened."""
        self._end_keeping()
        self.kill_all()

    def _end_keeping(self) -> None:
        self._ending.set()
        self._thread.join()


def whole(head: psutil.Process) -> list[psutil.Process]:
    """Give a worker's own processes: what it was started as and what it forked, but nothing of a job."""
    return [head, *horses(head)]


def horses(head: psutil.Process) -> list[psutil.Process]:
    """Give the processes that a worker forked to perform tasks; the engine for the database has none."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [process for process in head.children(recursive=True) if MARKER not in environment(process)]
    return []


def kill(doomed: list[psutil.Process]) -> None:
    """Kill all of these before any of them can notice that another is gone."""
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def everything(head: psutil.Process) -> Iterator[psutil.Process]:
    """Give a worker with all it started: what is gone when its host is."""
    yield head
    with contextlib.suppress(psutil.NoSuchProcess):
        yield from head.children(recursive=True)
