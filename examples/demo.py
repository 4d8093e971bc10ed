"""Start the example site and its runner, watch the jobs run, and stop both.

With ``CI`` in the environment nobody watches: it waits until each kind of run has been seen, prints the history as a
table and ends, with exit code 0 only if all of them were there.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

HERE = Path(__file__).resolve().parent
PATIENCE = 240  # seconds until each kind of run must have been seen: 40 where the machine has nothing else to do
STOP_LIMIT = 40  # seconds that the runner may take to stop


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    unattended = bool(os.environ.get("CI"))
    address = f"127.0.0.1:{free_port(0 if unattended else 8000)}"
    os.environ |= {"DJANGO_SETTINGS_MODULE": "shop_site.settings", "SHOP_ADDRESS": address, "PYTHONUNBUFFERED": "1"}
    prepare()
    web = start("runserver", "--noreload", address)
    runner = start("runapscheduler")
    print(f"\n  Look at http://{address}/admin/ (user admin, password admin); mails are in {settings.MAIL_DIR}.\n")
    print("  Ctrl-C stops the site and the runner.\n", flush=True)
    complete = False
    try:
        complete = watch({"web": web, "runner": runner}, address, unattended, unseen)
    except KeyboardInterrupt:
        print("\n  Stopping ...", flush=True)
    finally:
        clean = stop(runner, web)
    if not unattended:
        return 0 if clean else 1
    print_history()
    return 0 if complete and clean else 1


def free_port(wanted: int) -> int:
    """Give the wanted port, or any free one if something listens there already.

    Where nobody types the address, 0 is wanted: two demos that start at one moment would find the same port free.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def prepare() -> None:
    """Start from an empty site each time: tables, data, an admin user."""
    os.chdir(HERE)
    var = Path(os.environ.get("SHOP_VAR", HERE / "var"))
    for name in ("inbox", "mail"):
        shutil.rmtree(var / name, ignore_errors=True)
    for path in var.glob("shop.sqlite3*"):
        path.unlink()
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("create_demo_data")


def start(*command: str) -> subprocess.Popen:
    """Start a command of the site in a session of its own, so that a Ctrl-C reaches only this script."""
    return subprocess.Popen([sys.executable, "manage.py", *command], cwd=HERE, start_new_session=True)


def watch(
    processes: dict[str, subprocess.Popen], address: str, unattended: bool, unseen: Callable[[], list[str]]
) -> bool:
    """Wait for the end; tell whether all that was to be seen has been seen."""
    deadline = time.monotonic() + PATIENCE
    while True:
        time.sleep(1)
        for name, process in processes.items():
            if process.poll() is not None:
                print(f"  The {name} process ended by itself, with exit code {process.returncode}.", flush=True)
                return False
        if not unattended:
            continue
        lacking = unseen()
        if not lacking:
            return answers(address)
        if time.monotonic() > deadline:
            print(f"  Not seen within {PATIENCE} s: {', '.join(lacking)}", flush=True)
            return False


def unseen() -> list[str]:
    """Say which kinds of run have not happened yet."""
    from scheduler_bridge.models import Cause, Status

    wanted = {str(status): {"status": status} for status in (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT)}
    wanted["skipped"] = {"status": Status.SKIPPED}
    wanted["chained"] = {"status": Status.SUCCEEDED, "cause": Cause.CHAIN, "parent__isnull": False}
    wanted["a mail about a failure"] = {"status": Status.FAILED, "report": "sent"}
    return missing(wanted)


def missing(wanted: dict[str, dict[str, object]]) -> list[str]:
    """Say for which of these conditions there is no run."""
    from scheduler_bridge.models import Run

    return [name for name, conditions in wanted.items() if not Run.objects.filter(**conditions).exists()]


def answers(address: str) -> bool:
    """Tell whether the site answers."""
    with urllib.request.urlopen(f"http://{address}/admin/login/", timeout=60) as response:
        return response.status == 200


def stop(runner: subprocess.Popen, web: subprocess.Popen) -> bool:
    """End both processes; tell whether the runner stopped in good order."""
    for process in (runner, web):
        process.terminate()
    try:
        runner.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        print(f"  The runner did not stop within {STOP_LIMIT} s.", flush=True)
        runner.kill()
    web.wait(STOP_LIMIT)
    print(f"  The runner stopped with exit code {runner.wait()}.\n", flush=True)
    return runner.returncode == 0


def print_history(*columns: str) -> None:
    """Print each run, the oldest first; these columns of the table before the reason."""
    from scheduler_bridge.models import Run

    runs = Run.objects.select_related("job").order_by("id")
    titles = ("due", "job", "cause", "status", "took", "exit", *columns, "reason")
    print_table(titles, [line(run, columns) for run in runs])
    totals: dict[str, int] = {}
    for run in runs:
        totals[run.status] = totals.get(run.status, 0) + 1
    print("\n" + ", ".join(f"{count} {status}" for status, count in sorted(totals.items())), flush=True)


def line(run, columns: Iterable[str]) -> tuple[str, ...]:
    took = f"{(run.finished_at - run.started_at).total_seconds():.2f} s" if run.started_at and run.finished_at else ""
    folded = f" (+{run.coalesced} folded in)" if run.coalesced else ""
    return (
        f"{timezone.localtime(run.scheduled_for):%H:%M:%S}",
        run.job.name,
        run.cause,
        run.status,
        took,
        "" if run.exit_code is None else str(run.exit_code),
        *(getattr(run, column) for column in columns),
        run.reason + folded,
    )


def print_table(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    rows = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
