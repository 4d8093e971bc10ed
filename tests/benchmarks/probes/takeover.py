"""Ends the runner by a signal, asks for a run, and says when the standby was the runner: ``SIGNAL PAUSE``.

The pause is the longest time, in seconds, that it waits first, so that the end comes anywhere between two heartbeats.
"""

import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from . import answer, setup, wait_until

JOB = "work.inside"
SECOND = timedelta(seconds=1)


def main() -> None:
    setup()
    if os.environ.get("BENCH_APART"):
        see_heartbeat()
    time.sleep(random.uniform(0, float(sys.argv[2])))
    answer(taken_over(int(sys.argv[1])))


def see_heartbeat() -> None:
    """Wait for one: a standby counts from when it saw the last one first, which for a new one is its own start."""
    from scheduler_bridge import lease

    before = lease.holder().heartbeat_at
    wait_until(lambda: lease.holder().heartbeat_at != before, pause=0.1)


def taken_over(number: int) -> dict[str, float] | None:
    """Give the seconds from the signal to the last heartbeat, which came before, to the new lease and to the run.

    None when the former runner was so fast that it started the run before it heard of its end.
    """
    from scheduler_bridge import api, lease

    former = lease.holder()
    moment = datetime.now(UTC)
    os.kill(former.pid, number)
    beaten = (lease.holder() or former).heartbeat_at
    run = api.run_now(JOB)
    wait_until(lambda: is_done(run), pause=0.05)
    run.refresh_from_db()
    now = lease.holder()
    if not run.marker.startswith(now.token):
        return None
    return {
        "beat": (beaten - moment) / SECOND,
        "lease": (now.since - moment) / SECOND,
        "start": (run.started_at - moment) / SECOND,
    }


def is_done(run: Any) -> bool:
    from scheduler_bridge.models import Run

    return Run.objects.filter(pk=run.pk, status="succeeded").exists()


main()
