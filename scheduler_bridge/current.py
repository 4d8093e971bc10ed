"""The run that the worker has in hand: what it is, and whether it must end before its time."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from django.db import DatabaseError, InterfaceError

from . import history
from .execution.child_process import StopRequest
from .models import Run

logger = logging.getLogger("scheduler_bridge")


class Current:
    """Told by the worker, asked by every thread of the runner."""

    def __init__(self) -> None:
        self._run: tuple[Run, bool] | None = None
        self._request: StopRequest | None = None
        self.to_end: Mapping[int, str] = {}  # the runs that somebody wants to end, and who

    def entered(self, run: Run | None, internal: bool) -> None:
        """Note which run goes on, and whether it does inside this process; None: none does."""
        self._run = None if run is None else (run, internal)

    @property
    def is_internal(self) -> bool:
        """Tell whether a run goes on inside this process, where it cannot be ended."""
        current = self._run
        return current is not None and current[1]

    def end(self, reason: str) -> None:
        """Let the run end, for the runner's own reasons."""
        self._request = StopRequest(reason)

    def wish(self) -> StopRequest | None:
        """Say why the run must end now; None when it may go on."""
        current = self._run
        if self._request is not None or current is None or current[0].pk not in self.to_end:
            return self._request
        return StopRequest(history.cancelled(self.to_end[current[0].pk]))

    def abandon(self) -> None:
        """Record that the runner ends while the run goes on inside it."""
        if self._run is None:
            return
        run = self._run[0]
        try:
            history.abandon(run, "the runner was stopped and the job did not end in time", datetime.now(UTC))
        except (DatabaseError, InterfaceError) as error:
            logger.error("job %s run %s is recorded at the next start: %s", run.job.name, run.pk, error)
