"""The reporter thread: sends the mails that runs owe, on a database connection of its own."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError, InterfaceError, connections

from . import conf, connection, history, notifications
from .outage import described, is_outage

logger = logging.getLogger("scheduler_bridge")

LONGEST_PAUSE: Final = 600.0  # seconds between two looks for mails that are due again
RETRY_PAUSE: Final = 60.0  # seconds before mails are looked for again after an outage


class Reporter(threading.Thread):
    """Looks for mails to send when it is told to, and when one that was refused is due again."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        super().__init__(name="reports", daemon=True)
        self._failed = failed
        self._wanted = threading.Event()
        self._ending = False

    @property
    def is_wanted(self) -> bool:
        """Tell whether a look is to come at once."""
        return self._wanted.is_set()

    def look(self) -> None:
        """Look at once; safe from any thread."""
        self._wanted.set()

    def stop(self) -> None:
        """Look once more and end."""
        self._ending = True
        self._wanted.set()

    def run(self) -> None:
        try:
            connection.be_own(conf.load().database)
            self._report()
        except BaseException as error:  # without this thread failures would be silent
            self._failed(error)
        finally:
            connections.close_all()

    def _report(self) -> None:
        pause, ending = 0.0, False
        while not ending:
            self._wanted.wait(pause)
            self._wanted.clear()
            ending = self._ending
            pause = self.send()

    def send(self) -> float:
        """Send what is due; give the seconds until a mail that was refused is to be tried again."""
        for _ in range(2):  # a connection that was idle may be broken
            try:
                notifications.send_due(datetime.now(UTC))
                due_at = history.next_report_at()
                break
            except (DatabaseError, InterfaceError) as error:
                level = logging.DEBUG if is_outage(error) else logging.ERROR
                logger.log(level, "reports wait: %s", described(error))
                connection.drop(conf.load().database)
        else:
            return RETRY_PAUSE
        if due_at is None:
            return LONGEST_PAUSE
        return min(LONGEST_PAUSE, max(0.0, (due_at - datetime.now(UTC)).total_seconds()))
