"""The records of the runner's own runs: made by the right of its lease."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from . import history, lease
from .gate import Admitted
from .lease import Identity
from .models import Run


@dataclass(frozen=True, slots=True)
class RunnersBooks:
    """The runner records its runs while it holds the lease."""

    me: Identity
    freshen: Callable[[], None] = lambda: None  # renews a lease that may be over, or finds it lost

    def claim(self, admitted: Admitted, now: datetime) -> Run | None:
        """Record a run before it starts; None when its fire time is accounted for already.

        Raises:
            LeaseLost: another process is the runner now.
        """
        self.freshen()
        return history.claim(admitted.firing, self.me, now, admitted.next_run_at)

    def skip(self, admitted: Admitted, reason: str, now: datetime) -> None:
        """Record that a run is not started.

        Raises:
            LeaseLost: another process is the runner now.
        """
        history.skip(admitted.firing, self.me, reason, now, admitted.next_run_at)

    def confirm(self) -> None:
        """Make sure that the lease is still ours.

        Raises:
            LeaseLost: another process is the runner now.
        """
        self.freshen()
        lease.confirm(self.me)
