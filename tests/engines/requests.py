"""What people and faults ask of a site with an engine, beyond what they ask of every site."""

from typing import Any

from tests.chaos import client

from .names import SERVED


def ask_for(job: str, count: int = 1) -> list[int]:
    """Ask for runs as a person does who wants the job's should_run to be asked."""
    from scheduler_bridge import api

    return [api.run_now(job, requested_by="anna").pk for _ in range(count)]


def cancel(run: int) -> str | None:
    from scheduler_bridge import api

    return api.cancel(run, by="alice")


def double(run: int, times: int, queue: str = SERVED) -> None:
    """Hand a run over again so often, as an engine does that delivers a message more than once."""
    from scheduler_bridge import engine, tasks

    for _ in range(times):
        engine.send(tasks.perform_run, run, queue)


def empty() -> None:
    """Lose the messages of the engine that keeps them in the site's database."""
    from django_tasks_db.models import DBTaskResult

    DBTaskResult.objects.all().delete()


def run(number: int) -> dict[str, Any]:
    """Give a run."""
    from scheduler_bridge.models import Run

    return Run.objects.filter(pk=number).values().get()


def runs(job: str, **found: Any) -> list[dict[str, Any]]:
    """Give the runs of a job, the oldest first."""
    from scheduler_bridge.models import Run

    return list(Run.objects.filter(job__name=job, **found).order_by("pk").values())


def away() -> list[str]:
    """Give the marks of the runs that workers say they perform."""
    from scheduler_bridge.models import Run, Status

    running = Run.objects.filter(status=Status.RUNNING).exclude(queue="")
    return list(running.values_list("marker", flat=True))


def waiting() -> list[int]:
    """Give the runs that were handed over and that no worker has taken up."""
    from scheduler_bridge.models import Run, Status

    handed = Run.objects.filter(status=Status.QUEUED, hand_at__isnull=False)
    return list(handed.order_by("pk").values_list("pk", flat=True))


def latest(count: int) -> list[int]:
    """Give the last runs that were handed over."""
    from scheduler_bridge.models import Run

    return list(Run.objects.exclude(queue="").order_by("-pk").values_list("pk", flat=True)[:count])


client.REQUESTS.update(
    {function.__name__: function for function in (ask_for, cancel, double, empty, run, runs, away, waiting, latest)}
)

if __name__ == "__main__":
    client.main()
