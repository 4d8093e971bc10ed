"""What will happen: the next fire times of a job, and what the one worker will do with those of all jobs."""

from .comparison import Comparison, Shift, Wait, compare, late
from .fires import next_fires
from .load import Load, Owed, Running, Stage, Waiting
from .reading import ahead, before_and_after, loads
from .simulation import simulate
from .start import Forecast, Start, Unstarted

__all__ = [
    "Comparison",
    "Forecast",
    "Load",
    "Owed",
    "Running",
    "Shift",
    "Stage",
    "Start",
    "Unstarted",
    "Wait",
    "Waiting",
    "ahead",
    "before_and_after",
    "compare",
    "late",
    "loads",
    "next_fires",
    "simulate",
]
