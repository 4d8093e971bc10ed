"""The signs of life of a run that an engine's worker performs, given by a thread with a connection of its own."""

import logging
import threading
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError, InterfaceError, connections

from . import conf, connection, history
from .execution.child_process import StopRequest
from .execution.uptime import uptime
from .models import Run
from .outage import described

logger = logging.getLogger("scheduler_bridge")

BEAT: Final = 5.0  # seconds between two signs of life
LOOK: Final = 1.0  # seconds between two looks whether somebody wants the run to end
# Without a sign for so long the run is ended where it goes on, which the runner waits for before it gives it up.
EXPIRES_AFTER: Final = 15.0  # seconds


class Heartbeat:
    """Keeps one run alive from its claim until it is stopped."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self._until: float | None = None
        self._wish: StopRequest | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)

    def claimed(self, run: Run) -> None:
        """Begin: this run was recorded as started a moment ago."""
        self.run = run
        self._prolong(uptime())
        self._thread.start()

    def wish(self) -> StopRequest | None:
        """Say why the run must end now; None when it may go on."""
        return self._wish

    def until(self) -> float | None:
        """Give the moment, by the machine's uptime, up to which the run may go on; None: for as long as it takes."""
        return self._until

    def stop(self) -> None:
        """End; nothing happens when it has not begun."""
        self._ended.set()

    def _prolong(self, sent: float) -> None:
        # A file of SQLite is on this machine, where the runner ends what it gives up; a lock on it is no cut link.
        if connections[conf.load().database].vendor != "sqlite":
            self._until = sent + EXPIRES_AFTER

    def _work(self) -> None:
        try:
            connection.be_impatient(conf.load().database)
            while not self._ended.wait(LOOK):
                self._look()
        finally:
            connections.close_all()

    def _look(self) -> None:
        run = self.run
        if run is None:
            return
        try:
            if self._wish is None:
                self._beat(run)
        except (DatabaseError, InterfaceError) as error:
            connection.drop(conf.load().database)
            logger.warning("run %s: no heartbeat, %s", run.pk, described(error))

    def _beat(self, run: Run) -> None:
        sent = uptime()
        if self._is_due(sent):
            if not history.beat(run, datetime.now(UTC)):
                self._wish = StopRequest("the runner gave it up")
                return
            self._beaten_at = sent
            self._prolong(sent)
        by = history.wish_to_end(run.pk)
        if by is not None:
            self._wish = StopRequest(history.cancelled(by))

    _beaten_at = float("-inf")

    def _is_due(self, now: float) -> bool:
        return now - self._beaten_at >= BEAT
