"""The next fire times of one job."""

from datetime import datetime

from .. import registry
from ..exceptions import TriggerError
from ..models import Job
from ..plan import JobPlan
from ..triggers import upcoming


def next_fires(plan: JobPlan, row: Job, now: datetime, count: int) -> list[datetime]:
    """Give the next fire times of a job under this plan; none when it is disabled or has no schedule.

    None either of a trigger that cannot be asked.
    """
    trigger = registry.trigger_of(plan, row, now)
    if trigger is None or not plan.enabled.value or row.removed_at is not None:
        return []
    try:
        return upcoming(trigger, max(now, min(row.owed_since, now)), count)
    except TriggerError:
        return []
