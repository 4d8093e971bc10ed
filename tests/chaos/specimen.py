"""What the jobs of a chaos run do; each writes down that it starts, lives and ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from django.db import connection

from .litter import LITTER
from .points import reach

MARKER: Final = "SCHEDULER_BRIDGE_RUN"
BEAT: Final = 0.1  # seconds between two signs of life


def execute(job: str, lasts: float, habit: str) -> None:
    """Be one execution of a job."""
    token = f"{os.getpid()}-{time.monotonic_ns()}"
    write("start", job, token)
    reach("outside" if os.environ.get(MARKER, "") else "inside")
    HABITS[habit]()
    live(job, token, lasts)
    write("end", job, token)


def write(word: str, job: str, token: str) -> None:
    """Add one line to the trace, in one piece."""
    marker = os.environ.get(MARKER, "").partition("#")[0] or "-"  # without what tells the database
    line = f"{word} {job} {token} {marker} {time.time():.6f}\n"
    trace = os.open(Path(os.environ["SITE_FOLDER"], "trace"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(trace, line.encode())
    finally:
        os.close(trace)


def live(job: str, token: str, lasts: float) -> None:
    end = time.monotonic() + lasts
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(BEAT, left))
        write("beat", job, token)


def may_run() -> bool:
    """Say no in one second of three."""
    reach("asking")
    return int(time.time()) % 3 != 0


def nothing() -> None:
    pass


def fail() -> None:
    raise ValueError("the till is short")


def leave() -> None:
    sys.exit(3)


def interrupt() -> None:
    raise KeyboardInterrupt


def lock_all() -> None:
    """Be in the way of everybody who writes, on a database that is one file."""
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE scheduler_bridge_runner SET revision = revision")


def print_much() -> None:
    line = b"x" * 1023 + b"\n"
    for _ in range(3000):
        sys.stdout.buffer.write(line)


def print_bytes() -> None:
    sys.stdout.buffer.write(b"nul \0, broken \xff\xfe, \x1b[31mred\x1b[0m, \xf0\x9f\x98\x80\n")


def ignore_the_end() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(30)


def leave_orphans() -> None:
    subprocess.Popen(["sh", "-c", "setsid sleep 61 & (setsid sleep 62 &) & sleep 63"])
    time.sleep(30)


def leave_holder() -> None:
    subprocess.Popen(["sleep", "64"])


def stop_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def die_by_signal() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def close_its_output() -> None:
    """Write to nowhere from now on."""
    os.close(1)
    os.close(2)
    os.open(os.devnull, os.O_WRONLY)
    os.open(os.devnull, os.O_WRONLY)


def close_all_streams() -> None:
    for descriptor in (0, 1, 2):
        os.close(descriptor)


HABITS: Final[dict[str, Any]] = {
    "": nothing,
    "raise": fail,
    "exit": leave,
    "interrupt": interrupt,
    "hog": lock_all,
    "noise": print_much,
    "bytes": print_bytes,
    "stubborn": ignore_the_end,
    "orphan": leave_orphans,
    "holder": leave_holder,
    "stopped": stop_itself,
    "signal": die_by_signal,
    "silent": close_its_output,
    "mute": close_all_streams,
    **LITTER,
}
