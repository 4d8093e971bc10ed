"""The rows and the questions asked of them."""

from .fields import InstantField, MomentField, NarrowIndex, utc_now
from .job import Job
from .run import FAILURES, OPEN_STATUSES, Cause, Report, Run, Status
from .runner import Deployment, Hold, Runner, Standby

__all__ = [
    "FAILURES",
    "OPEN_STATUSES",
    "Cause",
    "Deployment",
    "Hold",
    "InstantField",
    "Job",
    "MomentField",
    "NarrowIndex",
    "Report",
    "Run",
    "Runner",
    "Standby",
    "Status",
    "utc_now",
]
