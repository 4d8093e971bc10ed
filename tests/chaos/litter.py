"""What jobs leave behind in a process that they share with others, and one that looks whether anything is left."""

import io
import logging
import logging.config
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone, translation


class Blackout(BaseException):
    """No error that anybody expects."""


def black_out() -> None:
    raise Blackout("the lights are off")


def query(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def leave_autocommit() -> None:
    connection.set_autocommit(False)
    query("SELECT COUNT(*) FROM scheduler_bridge_job")


def leave_autocommit_broken() -> None:
    connection.set_autocommit(False)
    with suppress(Exception):
        query("SELECT nothing FROM nowhere")


def leave_atomic() -> None:
    transaction.atomic().__enter__()
    query("UPDATE scheduler_bridge_job SET description = 'lost'")


def leave_atomic_broken() -> None:
    transaction.atomic().__enter__()
    with suppress(Exception):
        query("SELECT nothing FROM nowhere")


def leave_atomic_closed() -> None:
    transaction.atomic().__enter__()
    connection.close()


def leave_begun() -> None:
    """Begin a transaction that Django does not know of."""
    query("BEGIN")
    query("UPDATE scheduler_bridge_job SET description = 'lost'")


def leave_closed() -> None:
    connection.close()


def leave_unplugged() -> None:
    """Close what Django takes to be open."""
    connection.ensure_connection()
    connection.connection.close()


def leave_elsewhere() -> None:
    os.chdir("/")
    os.environ["LANGUAGE"] = "fr"
    os.umask(0o777)
    signal.setitimer(signal.ITIMER_REAL, 0)


def leave_nowhere() -> None:
    """Be where there is nothing any more."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)


def leave_time() -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def leave_alarm() -> None:
    """Be killed soon, as a job of its own process may wish to be."""
    signal.setitimer(signal.ITIMER_REAL, 3)


def heed_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def leave_closed_stream() -> None:
    sys.stdout = io.StringIO()
    sys.stdout.close()


def close_stream() -> None:
    sys.stdout.close()


def close_descriptors() -> None:
    """Leave two numbers free that the next file or connection would get, to be printed into."""
    os.close(1)
    os.close(2)


def leave_no_logging() -> None:
    logging.disable(logging.CRITICAL)
    logging.root.handlers.clear()


def configure_logging() -> None:
    """Do what a tool does that reads a logging configuration of its own: all others fall silent."""
    logging.config.dictConfig({"version": 1})


def leave_shallow() -> None:
    sys.setrecursionlimit(200)


def leave_thread() -> None:
    threading.Thread(target=time.sleep, args=(2,), name="short", daemon=True).start()


def leave_lasting_thread() -> None:
    """Leave work to a thread that Python waits for before it ends."""
    ThreadPoolExecutor(1, "lasting").submit(time.sleep, 600)


def fork() -> None:
    """Let a copy of the runner leave the command with an exception."""
    child = os.fork()
    if child == 0:
        sys.exit(0)
    os.waitpid(child, 0)


def split() -> None:
    """Let two processes return from here."""
    child = os.fork()
    if child != 0:
        os.waitpid(child, 0)


def vanish() -> None:
    os._exit(9)


def shared() -> dict[str, Any]:
    """Look at what all jobs of one process share, by other means than who puts it back."""
    mask = os.umask(0)
    os.umask(mask)
    runner = logging.getLogger("scheduler_bridge")
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM scheduler_bridge_job WHERE description = 'lost'")
        lost = cursor.fetchone()[0]
    return {
        "directory": os.readlink("/proc/self/cwd"),
        "environment": dict(os.environ),
        "hour": time.localtime(0).tm_hour,
        "umask": mask,
        "language": translation.get_language(),
        "zone": timezone.get_current_timezone_name(),
        "streams": (id(sys.stdout), sys.stdout.closed, id(sys.stderr), sys.stderr.closed),
        "logging": (runner.isEnabledFor(logging.INFO), runner.hasHandlers(), list(logging.root.handlers)),
        "recursion": sys.getrecursionlimit(),
        "alarm": signal.getitimer(signal.ITIMER_REAL),
        "database": (lost, connection.in_atomic_block, connection.get_autocommit()),
    }


_first: Final[dict[str, Any]] = {}


def look_around() -> None:
    """Fail when this process is not as it was when this job looked first."""
    now = shared()
    before = _first.setdefault("found", now)
    changed = {name: (before[name], now[name]) for name in now if before[name] != now[name]}
    if changed:
        raise ValueError(f"somebody has changed {changed}")


LITTER: Final[dict[str, Callable[[], None]]] = {
    "careful": look_around,
    "blackout": black_out,
    "transaction": leave_autocommit,
    "autocommit": leave_autocommit_broken,
    "atomic": leave_atomic,
    "broken": leave_atomic_broken,
    "shut": leave_atomic_closed,
    "begun": leave_begun,
    "close": leave_closed,
    "unplugged": leave_unplugged,
    "chdir": leave_elsewhere,
    "nowhere": leave_nowhere,
    "time": leave_time,
    "language": lambda: translation.activate("fr"),
    "zone": lambda: timezone.activate("Asia/Tokyo"),
    "alarm": leave_alarm,
    "handlers": heed_signals,
    "stream": leave_closed_stream,
    "closing": close_stream,
    "descriptors": close_descriptors,
    "logging": leave_no_logging,
    "configure": configure_logging,
    "recursion": leave_shallow,
    "thread": leave_thread,
    "lasting": leave_lasting_thread,
    "fork": fork,
    "split": split,
    "vanish": vanish,
}
