"""Processes that the benchmark starts: what they cost, and their end."""

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil


class Process:
    """A program in a session of its own, with everything that it starts."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
        self.log = log
        with log.open("a") as stream:
            self._popen = subprocess.Popen(
                command, env=environment, cwd=folder, stdout=stream, stderr=stream, start_new_session=True
            )
        self.pid = self._popen.pid

    def tree(self) -> list[psutil.Process]:
        """Give the process and all its descendants that are alive."""
        try:
            root = psutil.Process(self.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    @property
    def ended(self) -> bool:
        return self._popen.poll() is not None

    def bury(self) -> None:
        """Let it be gone as soon as it ends, as init does: a process that nobody waits for stays in the table."""
        threading.Thread(target=self._popen.wait, daemon=True).start()

    def stop(self, patience: float = 20) -> None:
        """Ask it to end, then end what is left of its tree."""
        tree = self.tree()
        with contextlib.suppress(ProcessLookupError):
            self._popen.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(patience)
        for process in tree:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._popen.wait()


def cpu_ms(processes: Iterable[Process]) -> float:
    """Give the CPU time used so far by the living threads of these trees, exact where the kernel says it."""
    return sum(cpu_of(item) for item in tree_of(processes))


def cpu_of(process: psutil.Process) -> float:
    with contextlib.suppress(OSError):
        files = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
        return sum(int(file.read_text().split()[0]) for file in files) / 1e6
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return (times.user + times.system) * 1000
    return 0.0


def pss_mib(processes: Iterable[Process], without: int | None = None) -> float:
    """Give the memory of these trees, what is shared counted by its share."""
    return sum(pss_of(item.pid) for item in tree_of(processes) if item.pid != without)


def tree_of(processes: Iterable[Process]) -> list[psutil.Process]:
    return [item for process in processes for item in process.tree()]


def pss_of(pid: int) -> float:
    """Give the memory of one process in MiB; nothing of one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def resident_mib(pid: int, field: str = "VmRSS") -> float:
    """Give the resident memory of one process, or its peak (VmHWM), in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)


def forget_peak(pid: int) -> None:
    """Let the peak of the resident memory count from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def wait_for(what: Callable[[], object], seconds: float, subject: str) -> None:
    """Wait until something holds.

    Raises:
        TimeoutError: it did not within these seconds.
    """
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain for {subject}")
        time.sleep(0.02)


def timed(command: list[str], environment: dict[str, str], folder: Path) -> float:
    """Give the milliseconds from the start of a program until it is reaped."""
    before = time.perf_counter()
    subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - before) * 1000
