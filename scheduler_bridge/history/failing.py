"""Since when a job fails: from the first failure in a row to the next success, or until a person has dealt with it."""

from datetime import datetime

from ..models import FAILURES, Job, Status
from .rows import using


def turns(status: Status, failing: bool) -> bool:
    """Tell whether an outcome may change this; what was known of the job before is given."""
    return status in FAILURES or (failing and status == Status.SUCCEEDED)


def follow(job_id: int, status: Status, now: datetime) -> None:
    """Record what this outcome says of the job."""
    job = Job.objects.using(using()).filter(pk=job_id)
    if status in FAILURES:
        job.filter(failing_since=None).update(failing_since=now)
    elif status == Status.SUCCEEDED:
        job.update(failing_since=None)


def forget(name: str) -> bool:
    """Take the failures of this job as dealt with; False when there were none."""
    rows = Job.objects.using(using()).filter(name=name, failing_since__isnull=False)
    return rows.update(failing_since=None) == 1
