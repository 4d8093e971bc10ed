"""Start the example site with its heavy jobs on an engine: Redis, two workers of RQ, the runner, the site.

Redis is one of the demo's own. As root each worker gets a host name of its own, as if it were on another machine. With
``CI`` in the environment nobody watches: it waits until each kind of run has been seen on the workers, prints the
history with queue and host, and ends with exit code 0 only if all of them were there.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from django.conf import settings

from demo import HERE, STOP_LIMIT, free_port, missing, prepare, print_history, start, stop, watch

WORKERS = ("worker-1", "worker-2")
WORK = ("rqworker", "reports", "--job-class", "django_tasks_rq.Job")
NAMED = ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"')
REDIS_WITHIN = 30  # seconds for Redis to answer


def main() -> int:
    if not shutil.which("redis-server"):
        print("redis-server is not installed: on Debian and Ubuntu, apt-get install redis-server", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    unattended = bool(os.environ.get("CI"))
    port = free_port(0 if unattended else 6390)
    redis = start_redis(port)
    try:
        address = f"127.0.0.1:{free_port(0 if unattended else 8000)}"
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "shop_site.settings",
            "PYTHONUNBUFFERED": "1",
            "SHOP_ADDRESS": address,
            "SHOP_REDIS": f"redis://127.0.0.1:{port}/0",
        }
        prepare()
        passed = show(address, unattended, redis)
    finally:
        redis.terminate()
        redis.wait(STOP_LIMIT)
    return 0 if passed else 1


def show(address: str, unattended: bool, redis: subprocess.Popen) -> bool:
    """Run all processes until the end; tell whether all was as it should be."""
    web = start("runserver", "--noreload", address)
    workers = {name: start_worker(name) for name in WORKERS}
    runner = start("runapscheduler")
    print(f"\n  Look at http://{address}/admin/ (user admin, password admin): each run says its queue and its host.")
    print(f"  The jobs of the queue 'reports' run on {' and '.join(WORKERS)}; mails are in {settings.MAIL_DIR}.")
    print(f"  To see a worker die, kill one: {', '.join(str(worker.pid) for worker in workers.values())}.")
    print("  Ctrl-C stops all of it.\n", flush=True)
    complete = False
    try:
        watched = {"web": web, "runner": runner, "redis": redis} | (workers if unattended else {})
        complete = watch(watched, address, unattended, unseen)
    except KeyboardInterrupt:
        print("\n  Stopping ...", flush=True)
    finally:
        clean = stop(runner, web)
        for worker in workers.values():
            stop_worker(worker)
    if unattended:
        print_history("queue", "host")
    return clean and (complete or not unattended)


def start_redis(port: int) -> subprocess.Popen:
    """Start a Redis that keeps nothing on disk, and wait until it answers."""
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    redis = subprocess.Popen([*words, "--loglevel", "warning"], cwd=Path("/"), start_new_session=True)
    deadline = time.monotonic() + REDIS_WITHIN
    while time.monotonic() < deadline and redis.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return redis
    raise RuntimeError(f"redis-server did not answer within {REDIS_WITHIN} s, exit code {redis.poll()}")


def start_worker(name: str) -> subprocess.Popen:
    """Start a worker of RQ, on a host of this name where that can be had."""
    named = [*NAMED, name] if can_be_named() else []
    words = [*named, sys.executable, "manage.py", *WORK]
    return subprocess.Popen(words, cwd=HERE, start_new_session=True)


def can_be_named() -> bool:
    """Tell whether this user may give a process a host name of its own."""
    if not shutil.which("unshare") or not shutil.which("hostname"):
        return False
    return subprocess.run(["unshare", "--uts", "true"], capture_output=True, check=False).returncode == 0


def stop_worker(worker: subprocess.Popen) -> None:
    """Let a worker finish its run; the second request ends it at once."""
    worker.terminate()
    try:
        worker.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def unseen() -> list[str]:
    """Say which kinds of run have not happened on the workers yet."""
    from scheduler_bridge.models import Cause, Status

    handed = {"queue": "reports"}
    kinds = (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT)
    wanted: dict[str, dict[str, object]] = {f"{status} on a worker": {**handed, "status": status} for status in kinds}
    wanted["chained after a worker's run"] = {
        "status": Status.SUCCEEDED,
        "cause": Cause.CHAIN,
        "queue": "",
        "parent__queue": "reports",
    }
    wanted["a mail about a worker's failure"] = {**handed, "status": Status.FAILED, "report": "sent"}
    for name in WORKERS if can_be_named() else ():
        wanted[f"a run on {name}"] = {**handed, "host": name}
    return missing(wanted)


if __name__ == "__main__":
    sys.exit(main())
