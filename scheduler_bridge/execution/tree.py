"""The job and all that descends from it, seen by the supervisor, which is the parent of last resort of them all."""

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Final

import psutil

PR_SET_CHILD_SUBREAPER: Final = 36  # linux/prctl.h
POLL: Final = 0.02  # seconds between two looks at processes that are ending
GIVE_UP: Final = 10.0  # seconds; a process in the kernel's hands may outlive SIGKILL for a while
KIB: Final = 1024  # the unit of ru_maxrss, getrusage(2)
CPU_CLOCK: Final = 2  # linux/posix-timers_types.h: CPUCLOCK_SCHED, all that a process has used


def become_subreaper() -> None:
    """Inherit every process of the tree whose parent ends; only Linux knows this."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Tree:
    """The children of this process, the job among them, and what descends from them."""

    def __init__(self, job: int) -> None:
        self.job = job
        self.code: int | None = None  # how the job ended
        self.cpu = -used(job)  # seconds of what has ended; it has used some while it waited for its task
        self.peak = 0  # bytes, of the one that needed most

    def reap(self) -> bool:
        """Collect what has ended, and tell whether anything is left.

        Each one is looked at before it is collected: waiting for any child would steal the job's own status.
        """
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return False
            if ended is None:
                return True
            pid, status, usage = os.wait4(ended.si_pid, 0)  # with all that it has waited for itself
            self.cpu += usage.ru_utime + usage.ru_stime
            self.peak = max(self.peak, usage.ru_maxrss * KIB)
            if pid == self.job:
                self.code = os.waitstatus_to_exitcode(status)

    def end(self, kill_after: float) -> list[str]:
        """Ask all that is left to end, pause, then kill it; give what was ended, each as pid and command line."""
        ended: dict[int, str] = {}
        begun = time.monotonic()
        while self.reap() and time.monotonic() - begun < kill_after + GIVE_UP:
            late = time.monotonic() - begun >= kill_after
            for process in filter(_is_alive, psutil.Process().children(recursive=True)):
                if late or process.pid not in ended:
                    send(process, signal.SIGKILL if late else signal.SIGTERM, ended)
            time.sleep(POLL)
        return list(ended.values())


def used(pid: int) -> float:
    """Give the seconds of CPU time that a process has used so far; 0 where the system does not tell."""
    try:
        return time.clock_gettime(~pid << 3 | CPU_CLOCK)  # clock_getcpuclockid(3)
    except OSError:
        return 0.0


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def send(process: psutil.Process, number: int, ended: dict[int, str], descriptor: int | None = None) -> None:
    """Signal one process and note what it was.

    Args:
        descriptor: of the process, by which it is met for certain, where there is one.
    """
    if not note(process, ended):
        return
    with suppress(psutil.Error, OSError):  # it ended in between
        if descriptor is None:
            process.send_signal(number)
        else:
            signal.pidfd_send_signal(descriptor, number)


def note(process: psutil.Process, names: dict[int, str]) -> bool:
    """Note what a process is; False when it has ended."""
    try:
        words = " ".join(" ".join(process.cmdline()).split()) or process.name()
    except psutil.Error:
        return False
    names.setdefault(process.pid, f"{process.pid} {words}"[:300])
    return True
