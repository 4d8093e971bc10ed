"""The stacks of Python processes that are about to be ended: each writes its own where its errors go.

A process of a run that has this app loaded listens to one real-time signal, for which Python's faulthandler answers
even while the interpreter is stuck. Only a process with a handler for that signal is sent it, since it ends any other;
one whose handler is its own does what that says.
"""

import faulthandler
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

from .mark import LONGEST, MARKER

SIGNAL: Final = int(getattr(signal, "SIGRTMAX", 64)) - 3  # one without a meaning of its own
ERRORS: Final = 2  # where a process writes its errors, and its stack
PATIENCE: Final = 0.3  # seconds that all processes together have to answer
LONGEST_WAIT: Final = 2.0  # seconds at most for those that get no processor on a busy machine, or are stopped
POLL: Final = 0.02  # seconds between two looks whether the signal has arrived
MOST: Final = 20  # processes that are asked


def listen() -> None:
    """Let this process write the stacks of all its threads when it is sent the signal."""
    with suppress(OSError, ValueError, RuntimeError):  # without a stack a run is as good as before
        faulthandler.register(SIGNAL, file=ERRORS, all_threads=True)


def listen_in_a_run(environment: Mapping[str, str]) -> None:
    """Listen if this environment is that of a process of a run: one with its mark, not with the place of a mark."""
    if environment.get(MARKER, "").replace("-" * LONGEST, ""):
        listen()


def ask(output: int) -> None:
    """Let every process below this one that listens write its stack, each under a line that names it.

    Args:
        output: the pipe into which the job writes.
    """
    listeners = [process for process in psutil.Process().children(recursive=True) if _listens(process.pid)][:MOST]
    deadline = time.monotonic() + LONGEST_WAIT
    for process in listeners:
        _announce(process, output)
        with suppress(psutil.Error):  # it has ended in between
            process.send_signal(SIGNAL)
        while _is_on_its_way(process.pid) and time.monotonic() < deadline:
            time.sleep(POLL)
        time.sleep(PATIENCE / len(listeners))


def _listens(pid: int) -> bool:
    """Tell whether a process has a handler for the signal and does not hold it back."""
    masks = _masks(pid)
    return "SigCgt" in masks and "SigBlk" not in masks


def _is_on_its_way(pid: int) -> bool:
    """Tell whether a process has been sent the signal and could not take it yet."""
    return "ShdPnd" in _masks(pid)


def _masks(pid: int) -> set[str]:
    """Give the masks of a process that have the signal (proc_pid_status(5))."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    masks = (line.split(":", 1) for line in lines if line.startswith(("Sig", "ShdPnd")) and "/" not in line)
    return {name for name, bits in masks if int(bits, 16) >> (SIGNAL - 1) & 1}


def _announce(process: psutil.Process, output: int) -> None:
    """Name a process in the output; not at all where that is full, since nothing may stop the one who ends the job."""
    with suppress(OSError, psutil.Error):
        words = " ".join(" ".join(process.cmdline()).split())
        line = f"\n[stack of {process.pid} {words}"[:300] + "]\n"
        # Opened anew: the job, which has the same pipe, must not find that it does not wait any more.
        pipe = os.open(f"/proc/self/fd/{output}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(pipe, line.encode("utf-8", "backslashreplace"))
        finally:
            os.close(pipe)
