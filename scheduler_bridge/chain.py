"""Which jobs follow an outcome; nothing is started here."""

from collections.abc import Callable

from .models import Status
from .plan import JobPlan


def followers(plan: JobPlan, status: Status, resolve: Callable[[str], str | None]) -> tuple[str, ...]:
    """Give the names of the jobs that run after this one ended so; a name that means no job is left out.

    A run that was skipped or cancelled is followed by nothing.
    """
    definition = plan.definition
    if status != Status.SUCCEEDED and not (definition.next_on_failure and status in {Status.FAILED, Status.TIMED_OUT}):
        return ()
    names = (resolve(text) for text in definition.next_jobs)
    return tuple(dict.fromkeys(name for name in names if name is not None))
