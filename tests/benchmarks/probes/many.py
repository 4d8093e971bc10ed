"""Times what a start and a migrate do with all jobs, in this process."""

from datetime import UTC, datetime

from . import answer, milliseconds, setup

TIMES = 5


def main() -> None:
    setup()
    from django_apscheduler.models import DjangoJob

    from scheduler_bridge import registry
    from scheduler_bridge.discovery import discover
    from scheduler_bridge.models import Job

    result = {"discover": milliseconds(discover, 1)}
    Job.objects.all().delete()
    DjangoJob.objects.all().delete()
    result["cold"] = milliseconds(lambda: registry.sync(datetime.now(UTC)), 1)
    result["new"] = [one for _ in range(TIMES) for one in milliseconds(synced_anew, 1)]
    result["warm"] = milliseconds(lambda: registry.sync(datetime.now(UTC)), TIMES)
    result["load"] = milliseconds(lambda: registry.load(datetime.now(UTC)), TIMES)
    answer(result)


def synced_anew() -> None:
    """Compare all rows with the code, as a new process does."""
    from scheduler_bridge import registry
    from scheduler_bridge.registry.matching import MATCHED

    MATCHED.forget()
    registry.sync(datetime.now(UTC))


main()
