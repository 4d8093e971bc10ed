"""The control thread: lease, heartbeat, change signal, watchdog, on a database connection of its own."""

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

from django.db import DatabaseError, IntegrityError, InterfaceError, connections

from . import candidacy, conf, connection, deployment, expiry, history, lease, left_over, registry, systemd
from .asking import Timed
from .away import Watch
from .candidacy import Bystander, Candidacy
from .changes import Listener
from .exceptions import TriggerError
from .lease import Identity
from .models import Runner
from .orders import Orders, Timetable
from .outage import parted
from .pace import Pace
from .renewal import Renewal

logger = logging.getLogger("scheduler_bridge")

RETRY_PAUSE: Final = 1.0  # seconds between two looks while the database is away or another holds the lease
REFRESH_EVERY: Final = 600.0  # seconds; catches what was changed in the tables without a signal
JOBS_REST: Final = 0.15  # seconds between two readings of the jobs while handed-over runs end one after the other
REST: Final = 3.0  # times as long as it took to read what changed
LONGEST_REST: Final = 0.025  # seconds
SILENT_AFTER: Final = 30.0  # seconds without a turn of the loop, after which systemd hears no sign of life
STALLED_AFTER: Final = 60.0  # seconds without a turn of the loop, which turns at least every 15


class Control(threading.Thread):
    """Becomes the runner, stays it, and hears of changes, until told to stop."""

    def __init__(self, me: Identity, orders: Orders, renewal: Renewal) -> None:
        super().__init__(name="control", daemon=True)
        self.me = me
        self._orders, self._renewal = orders, renewal
        self._using = conf.load().database
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False
        self._asked = self._again = False
        self._complained = False
        self._reader = registry.Reader()
        self._broken: deque[tuple[Timed, TriggerError]] = deque()
        self._away = Watch(me)
        self._pace = Pace(JOBS_REST)
        self._loaded_at = float("-inf")
        self._ends_at: datetime | None = None  # when something that was changed for a time returns

    def reload(self, *, again: bool = False) -> None:
        """Read everything anew at once; safe from any thread and in a signal handler."""
        self._asked, self._again = True, self._again or again
        self.wake()

    def broke(self, job: Timed, error: TriggerError) -> None:
        """Record that the trigger of a job broke in the loop; safe from any thread."""
        self._broken.append((job, error))
        self.wake()

    def stop(self) -> None:
        """Give the lease back and end."""
        self._stopping = True
        self.wake()

    def run(self) -> None:
        try:
            connection.be_impatient(self._using)
            if self._until(self._become_runner):
                self._until(self._start)
                self._serve()
                self._leave()
        except BaseException as error:  # without this thread the process is no runner
            self._orders.failed(error)
        finally:
            connections.close_all()

    def _until(self, step: Callable[[], bool]) -> bool:
        """Do a step again and again until it is done; False when told to stop before."""
        while not self._stopping:
            if self._survive(step):
                return True
            self._pause(RETRY_PAUSE)
        return False

    def _survive(self, step: Callable[[], bool]) -> bool:
        try:
            done = step()
            if self._complained:
                candidacy.show(self.me)  # the server that answers may be another one
        except (DatabaseError, InterfaceError) as error:
            connection.drop(self._using)
            self._away.forget()
            if not self._complained:
                logger.error("%s, waiting: %s", *parted(error))
            self._complained = True
            systemd.notify("STATUS=waiting for the database")
            self._mend(error)
            return False
        if self._complained:
            logger.info("the database answers again")
            systemd.notify("STATUS=the database answers again")
        self._complained = False
        return done

    def _mend(self, error: Exception) -> None:
        """Make good what a row cannot be added for, such as a sequence that stands behind its rows."""
        if isinstance(error, IntegrityError):
            with suppress(DatabaseError, InterfaceError):
                history.mended((), error)

    def _become_runner(self) -> bool:
        told = Bystander(
            stopping=lambda: self._stopping,
            pause=lambda seconds: self._pause(seconds),
            occupied=self._orders.occupied,
            outdated=self._orders.outdated,
        )
        return Candidacy(self.me, told).win()

    def _start(self) -> bool:
        for line in deployment.follow(_now()):
            logger.info(line)
        self._migrated_at = deployment.migrated_at()
        left_over.abandon(self.me, _now())
        self._expire()
        self._listener = Listener(self._using)
        self._listener.changed(time.monotonic())
        self._beat()  # what waits for the lease is known before a run begins
        self._load()
        self._report_broken()  # what a process found that ended before it could
        return True

    def _load(self, *, jobs: bool = True) -> None:
        # All jobs when a person or a step of the clock asks for it, and as a safety net; else what changed.
        asked, self._asked = self._asked, False
        refresh = asked or time.monotonic() - self._loaded_at >= REFRESH_EVERY
        again, self._again = self._again, False
        held = Runner.objects.using(self._using).filter(pk=Runner.ROW, held=True).exists()
        queued, to_end = history.queued(), history.to_end()
        self._ends_at = expiry.next_end()
        # Last, since what it has told of once it does not tell again.
        reading = self._read_jobs(refresh, asked) if refresh or jobs else registry.Reading(planned=(), gone=())
        self._orders.apply(
            Timetable(planned=reading.planned, gone=reading.gone, queued=queued, held=held, to_end=to_end, again=again)
        )
        if reading.is_any_broken:
            self._report_broken()

    def _report_broken(self) -> None:
        if history.report_broken(_now()):
            self._orders.mail()

    def _read_jobs(self, refresh: bool, asked: bool) -> registry.Reading:
        begun = time.monotonic()
        reading = self._reader.read_all(_now(), retry=asked) if refresh else self._reader.read_changed(_now())
        self._pace.read(begun, time.monotonic())
        self._loaded_at = begun if refresh else self._loaded_at
        return reading

    def _serve(self) -> None:
        while not self._stopping:
            was_away = self._complained
            if self._survive(self._turn) and was_away:
                self.reload()  # what was changed as the database went away may not have been told of
                self._orders.between(partial(left_over.find_lost, self.me))
            self._check_loop()
            self._pause(RETRY_PAUSE if self._complained else self._next_turn())

    def _next_turn(self) -> float:
        """Give the seconds after which there is something to do though nothing was heard."""
        monotonic = time.monotonic()
        looks = min(self._away.pause(monotonic), self._pace.pause(monotonic))
        ends = max(RETRY_PAUSE, min(self._end_pause(), self._reader.retry_pause(_now())))
        return min(self._listener.pause, self._beat_pause(), ends, looks)

    def _turn(self) -> bool:
        monotonic = time.monotonic()
        if self._beat_pause() <= 0:
            self._beat()
        changed = self._listener.changed(monotonic)
        if changed:
            self._follow_deployment()
        if self._end_pause() <= 0:
            changed = self._expire() or changed
        changed = self._note_broken() or changed
        if changed or self._reader.retry_pause(_now()) <= 0:
            self._pace.owe()
        ended = (changed or self._away.pause(monotonic) <= 0) and self._look_away(monotonic)
        is_time = self._pace.pause(monotonic) <= 0
        if changed or is_time or self._asked or monotonic - self._loaded_at >= REFRESH_EVERY:
            self._load(jobs=is_time or not ended)
            # Where changes come in a stream, they are read together and the worker gets its share of the process.
            time.sleep(min(LONGEST_REST, REST * (time.monotonic() - monotonic)))
        return True

    def _beat(self) -> None:
        begun = time.monotonic()
        self._listener.tell(self._renewal.renew())
        self._beaten_at = begun

    def _look_away(self, monotonic: float) -> bool:
        """Look at what was handed over, and tell whether some of it ended; that is told of first, and noted then."""
        if not self._away.is_needed or not (news := self._away.look(_now(), monotonic)):
            return False
        self._orders.news(news)
        history.told([run.run_id for run, _completion in news.ended])
        return bool(news.ended)

    def _expire(self) -> bool:
        lines = expiry.expire(_now())
        for line in lines:
            logger.info(line)
        return bool(lines)

    def _note_broken(self) -> bool:
        """Record which triggers broke in the loop, each until it is written."""
        is_any = bool(self._broken)
        while self._broken:
            job, error = self._broken[0]
            registry.note(job.name, job.key, error, _now())
            self._broken.popleft()
        return is_any

    def _end_pause(self) -> float:
        """Give the seconds until something that was changed for a time returns."""
        return float("inf") if self._ends_at is None else max(0.0, (self._ends_at - _now()).total_seconds())

    def _follow_deployment(self) -> None:
        if deployment.is_outdated():
            self._orders.outdated()
        before, self._migrated_at = self._migrated_at, deployment.migrated_at()
        if before != self._migrated_at:
            self._orders.renew()

    def _beat_pause(self) -> float:
        """Give the seconds until the next heartbeat is due."""
        pause = lease.BEAT_BUSY if self._orders.busy() else lease.BEAT_IDLE
        return max(0.0, self._beaten_at + pause - time.monotonic())

    def _check_loop(self) -> None:
        turn = self._orders.loop_at()
        if turn is None or time.monotonic() - turn[1] <= STALLED_AFTER:
            return
        asked = self._orders.asking()
        if asked is not None:
            self._set_aside(asked)
        whose = "" if asked is None else f": it asks the trigger of {asked.name}"
        raise RuntimeError(f"the loop has not turned since {turn[0]:%Y-%m-%d %H:%M:%S} UTC{whose}")

    def _set_aside(self, asked: Timed) -> None:
        """Let the next runner not ask the trigger that holds up this one."""
        error = TriggerError(f"it gave no answer within {STALLED_AFTER:.0f} s", stalled=True)
        try:
            registry.note(asked.name, asked.key, error, _now())
        except (DatabaseError, InterfaceError) as refusal:
            logger.error("job %s: its trigger is not set aside: %s", asked.name, refusal)

    def _pause(self, seconds: float) -> None:
        """Give a sign of life and wait, until woken or until the next sign is due."""
        turn = self._orders.loop_at()
        if turn is None or time.monotonic() - turn[1] < SILENT_AFTER:
            systemd.notify("WATCHDOG=1")
        seconds = min(seconds, systemd.watchdog_pause() or seconds)
        readers: list[int] = [self._wake_read]
        listener = getattr(self, "_listener", None)
        if listener is not None and not self._complained:
            readers += self._heard_through(listener)
        if self._wake_read in select.select(readers, [], [], seconds)[0]:
            os.read(self._wake_read, 4096)

    def _heard_through(self, listener: Listener) -> list[int]:
        try:
            descriptor = listener.fileno()
            if listener.is_heard():
                self.wake()
        except (DatabaseError, InterfaceError):
            return []
        return [] if descriptor is None else [descriptor]

    def _leave(self) -> None:
        try:
            lease.release(self.me)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("the lease was not given back: %s", error)

    def wake(self) -> None:
        """Look at once whether there is something to do; safe from any thread."""
        with suppress(BlockingIOError):  # it is awake already
            os.write(self._wake_write, b".")


def _now() -> datetime:
    return datetime.now(UTC)
