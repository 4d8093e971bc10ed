"""Keeps two runners alive, as systemd would, and knows all processes of the site."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import psutil

ROOT: Final = Path(__file__).resolve().parents[2]
MARKER: Final = "SCHEDULER_BRIDGE_RUN"
PROOF: Final = "#"  # behind it in the mark: which very database the run is recorded in
RESTART_PAUSE: Final = 0.5  # seconds
PATIENCE: Final = 60.0  # seconds for an answer of the client, which waits for the database as everybody does
# A runner that is gone is found out within its lease; then its runs are abandoned and their processes ended.
FORGIVEN: Final = 25.0  # seconds
# Nothing here runs for longer than the default timeout of the site, twenty seconds.
LONGEST: Final = 20.0 + FORGIVEN  # seconds
GONE_WITHIN: Final = 10.0  # seconds for what only waited for a run to notice that its runner has ended


class Client:
    """A process that asks for things on behalf of a person, one at a time."""

    def __init__(self, environment: dict[str, str], folder: Path, requests: str) -> None:
        self._lock = threading.Lock()
        with (folder / "client.log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", requests],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def ask(self, do: str, **words: Any) -> Any:
        """Ask once.

        Raises:
            RuntimeError: the request failed, as it may while the database is away.
        """
        with self._lock:
            self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(f"{do}: {answer['error']}")
        return answer["result"]

    def insist(self, do: str, **words: Any) -> Any:
        """Ask until it is done; what is asked must not matter when it is done twice."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.ask(do, **words)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()


class Keeper:
    """Two runners, each started again whenever it ends."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self._runners: list[subprocess.Popen[bytes] | None] = [None, None]
        self._ending = threading.Event()
        self._resting = threading.Event()
        self.exits: Counter[int] = Counter()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _keep(self) -> None:
        while not self._ending.wait(0.1):
            ended = [number for number, runner in enumerate(self._runners) if not is_alive(runner)]
            self.exits.update(runner.returncode for number in ended if (runner := self._runners[number]))
            if ended and not self._ending.wait(RESTART_PAUSE):
                for number in ended:
                    self._runners[number] = self._launch(number)

    def _launch(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "django", "runapscheduler"]
        with (self._folder / f"runner{number}.log").open("ab") as log:
            return subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def pids(self) -> list[int]:
        """Give the two runners that live."""
        return [runner.pid for runner in self._runners if is_alive(runner)]

    def stop(self) -> None:
        """Ask both to end, and keep them no more.

        Raises:
            subprocess.TimeoutExpired: one did not end.
        """
        self._ending.set()
        self._thread.join()
        for runner in self._runners:
            if is_alive(runner):
                runner.send_signal(signal.SIGTERM)
        for runner in self._runners:
            if runner is not None:
                self.exits[runner.wait(30)] += 1

    def kill(self) -> None:
        """Leave nothing alive, whatever happened."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in processes(self._folder):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for runner in self._runners:
            if runner is not None:
                runner.wait()


def is_alive(runner: subprocess.Popen[bytes] | None) -> bool:
    return runner is not None and runner.poll() is None


class Sampler(threading.Thread):
    """Looks again and again for processes of runs that are not running, and for runs that only say they are."""

    def __init__(self, folder: Path, running: Callable[[], list[str]]) -> None:
        super().__init__(daemon=True)
        self._folder, self._running = folder, running
        self._seen: dict[tuple[int, str], float] = {}
        self._running_since: dict[str, float] = {}
        self._ending = threading.Event()
        self.found: set[str] = set()

    def run(self) -> None:
        while not self._ending.wait(1.0):
            with contextlib.suppress(RuntimeError):  # nobody can know while the database is away
                self.look(set(self._running()), time.monotonic())

    def look(self, running: set[str], now: float) -> None:
        """Hold the processes that are there against the runs that say they are running."""
        self._running_since = {mark: self._running_since.get(mark, now) for mark in running}
        for mark, since in self._running_since.items():
            if self.is_overdue(mark, now - since):
                self.found.add(f"run {mark} has said for {LONGEST:.0f} s that it is running, longer than any can")
        stray = {(process.pid, mark) for process, mark in marked(self._folder) if mark not in running}
        self._seen = {key: self._seen.get(key, now) for key in stray}
        for (pid, mark), since in self._seen.items():
            if now - since > FORGIVEN:
                self.found.add(f"process {pid} of {mark} has lived for {FORGIVEN:.0f} s without a running run")

    def is_overdue(self, mark: str, seconds: float) -> bool:
        """Say whether a run that has said so long that it is running cannot be."""
        return seconds > LONGEST

    def stop(self) -> None:
        self._ending.set()
        self.join()


def processes(folder: Path) -> Iterator[psutil.Process]:
    """Give all processes of this site but who watches them."""
    for process in psutil.process_iter():
        if environment(process).get("SITE_FOLDER") == str(folder) and process.pid != os.getpid():
            yield process


def left(folder: Path) -> tuple[str, ...]:
    """Name the processes of this site that do not end by themselves."""
    deadline = time.monotonic() + GONE_WITHIN
    while (found := tuple(processes(folder))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return tuple(f"{process.pid} {name(process)}" for process in found)


def name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "that has just ended"


def marked(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """Give the processes that belong to a run, with its mark."""
    for process in processes(folder):
        mark = environment(process).get(MARKER, "").strip("-").partition(PROOF)[0]
        if mark:
            yield process, mark


def environment(process: psutil.Process) -> dict[str, str]:
    try:
        return {} if process.status() == psutil.STATUS_ZOMBIE else process.environ()
    except psutil.Error:
        return {}
