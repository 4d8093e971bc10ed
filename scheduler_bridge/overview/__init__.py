"""What a person wants to know at one glance: who runs the jobs, what runs, waits and fails, and how busy it is."""

from .busy import Share, shares
from .current import Running
from .failing import Failing
from .presence import Code, Hold, Presence, held, presence
from .queue import Follower, Place, Waiting
from .resumption import Resumption, resumption
from .work import Next, Work, work

__all__ = [
    "Code",
    "Failing",
    "Follower",
    "Hold",
    "Next",
    "Place",
    "Presence",
    "Resumption",
    "Running",
    "Share",
    "Waiting",
    "Work",
    "held",
    "presence",
    "resumption",
    "shares",
    "work",
]
