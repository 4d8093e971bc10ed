"""The supervisor: one small process per external run, started as a program of its own, without Django.

It is the parent of last resort of the job's whole tree, so that nothing the job starts can get out of reach: not by
setsid, not by forking twice. It ends that tree at the timeout, when told, and when the runner dies, which closes the
pipe between them. It waits for the process, never for its pipes.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

import psutil

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
POLL = 0.02  # seconds between two looks at processes that are ending
GIVE_UP = 10.0  # seconds; a process in the kernel's hands may outlive SIGKILL for a while


def main(status: int) -> None:
    """Run one job as the first line on standard input says, and report how it ended on this descriptor."""
    become_subreaper()
    wake = reset_signals()
    spec = read_spec()
    child = subprocess.Popen(spec["command"], cwd=spec["cwd"], stdin=subprocess.DEVNULL, start_new_session=True)
    silence()
    why = watch(child, wake, spec["timeout"])
    ended = end_tree(child, 0.0 if why == "orphaned" else spec["kill_after"])
    report = {"code": child.returncode, "why": why, "ended": ended}
    os.write(status, json.dumps(report).encode() + b"\n")


def become_subreaper() -> None:
    """Inherit every process of the tree whose parent ends; only Linux knows this."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reset_signals() -> int:
    """Undo what was inherited, for the job's sake; give a descriptor that becomes readable at a signal."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, heed)
    return reader


def heed(number: int, frame: object) -> None:
    """Do nothing: the wake-up descriptor tells, and a handler makes that happen."""


def read_spec() -> dict[str, Any]:
    """Read the first line byte by byte, since what follows is for later."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(1)  # the runner is gone already
        line += byte
    spec: dict[str, Any] = json.loads(line)
    return spec


def silence() -> None:
    """Let go of the output pipe: only the job's own processes hold it open."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


def watch(child: "subprocess.Popen[bytes]", wake: int, timeout: float | None) -> str:
    """Wait until the job ends, and say why it must be ended if it did not by itself."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while child.poll() is None:
        reap(child.pid)
        pause = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready = select.select([0, wake], [], [], pause)[0]
        if 0 in ready:
            return "stopped" if os.read(0, 100) else "orphaned"
        if wake in ready and {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} & set(os.read(wake, 100)):
            return "stopped"
        if deadline is not None and time.monotonic() >= deadline:
            return "timeout"
    return ""


def end_tree(child: "subprocess.Popen[bytes]", kill_after: float) -> list[str]:
    """Ask all that is left to end, pause, then kill it; give what was ended, each as pid and command line."""
    ended: dict[int, str] = {}
    begun = time.monotonic()
    while (left := descendants(child)) and time.monotonic() - begun < kill_after + GIVE_UP:
        late = time.monotonic() - begun >= kill_after
        for process in left:
            if late or process.pid not in ended:
                send(process, signal.SIGKILL if late else signal.SIGTERM, ended)
        time.sleep(POLL)
    child.poll()
    return list(ended.values())


def descendants(child: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """Give what lives of the tree, and reap what does not."""
    child.poll()
    reap(child.pid)
    return [process for process in psutil.Process().children(recursive=True) if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def send(process: psutil.Process, number: int, ended: dict[int, str]) -> None:
    """Signal one process and note what it was."""
    try:
        ended.setdefault(process.pid, f"{process.pid} {' '.join(process.cmdline()) or process.name()}"[:300])
        process.send_signal(number)
    except psutil.Error:
        return  # it ended in between


def reap(job: int) -> None:
    """Collect ended foster children one by one; waiting for any child would steal the job's own status."""
    for process in psutil.Process().children():
        if process.pid != job:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                continue


if __name__ == "__main__":
    main(int(sys.argv[1]))
