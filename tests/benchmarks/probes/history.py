"""Times runs, pages and pruning over the history that is there: ``N``."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from . import answer, milliseconds, setup
from .perform import performer, watched, workplace

JOB = "work.inside"
PAGES = 7
AGE, OLDER = timedelta(days=90), timedelta(days=1000)


def main() -> None:
    setup()
    number = int(sys.argv[1])
    with ThreadPoolExecutor(1) as pool:  # a run belongs to a thread of its own, as in the runner
        result = pool.submit(runs, number).result()
    answer(result | pages() | pruning())


def runs(number: int) -> dict[str, list[float]]:
    from scheduler_bridge import history

    perform = performer(JOB, workplace())
    perform()
    result: dict[str, list[float]] = {"claim": [], "close": []}
    result["perform"] = milliseconds(perform, number)
    with ExitStack() as stack:
        for name in ("claim", "close"):
            stack.enter_context(watched(history, name, result[name]))
        milliseconds(perform, number)
    return result


def pages() -> dict[str, list[float]]:
    """Time the pages that people look at, as a browser's request goes through them."""
    from django.contrib.auth.models import User
    from django.test import Client

    from scheduler_bridge.models import Job, Run

    client = Client()
    client.force_login(User.objects.get_or_create(username="anna", is_staff=True, is_superuser=True)[0])
    job, newest = Job.objects.get(name=JOB).pk, Run.objects.latest("id").pk
    paths = {
        "runs": "run/",
        "filtered": "run/?status__exact=failed",
        "of_job": f"run/?job={job}",
        "mixed": "run/?status__exact=failed&cause__exact=manual",
        "middle": f"run/?before={newest // 2}",
        "last": "run/?after=0",
        "jobs": "job/",
        "job": f"job/{job}/change/",
    }
    return {name: milliseconds(lambda path=path: get(client, path), PAGES)[1:] for name, path in paths.items()}


def get(client: Any, path: str) -> None:
    response = client.get(f"/admin/scheduler_bridge/{path}")
    if response.status_code != 200:
        raise RuntimeError(f"/admin/scheduler_bridge/{path}: {response.status_code} {response.get('Location', '')}")


def pruning() -> dict[str, list[float]]:
    from scheduler_bridge import history

    nothing = milliseconds(lambda: history.prune(datetime.now(UTC), OLDER, 20), 3)
    return {"nothing": nothing, "prune": milliseconds(lambda: history.prune(datetime.now(UTC), AGE, 20), 1)}


main()
