"""The control thread: lease, heartbeat, change signal, watchdog, on a database connection of its own."""

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import DatabaseError, InterfaceError, connections

from . import conf, connection, deployment, history, lease, registry, systemd
from .changes import Listener
from .execution import child_process
from .history import Queued
from .lease import Identity, Watch
from .models import Runner
from .registry import Planned

logger = logging.getLogger("scheduler_bridge")

RETRY_PAUSE: Final = 1.0  # seconds between two looks while the database is away or another holds the lease
REFRESH_EVERY: Final = 600.0  # seconds; catches what was changed in the tables without a signal
REST: Final = 3.0  # times as long as it took to read what changed
LONGEST_REST: Final = 0.025  # seconds
SILENT_AFTER: Final = 30.0  # seconds without a turn of the loop, after which systemd hears no sign of life
STALLED_AFTER: Final = 60.0  # seconds without a turn of the loop, which turns at least every 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """All that the loop is to schedule, read in one look."""

    planned: tuple[Planned, ...]
    queued: tuple[Queued, ...]
    held: bool
    again: bool  # time everything anew, not only what changed
    gone: tuple[str, ...] | None = None  # None: all that is not planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the control thread tells the process it belongs to."""

    apply: Callable[[Timetable], None]
    renew: Callable[[], None]  # a migrate changed the tables under the same code
    outdated: Callable[[], None]  # other code than this process runs was migrated
    occupied: Callable[[str], bool]  # another holds the lease; True: wait for it
    failed: Callable[[BaseException], None]
    loop_at: Callable[[], tuple[datetime, float] | None]  # the last turn of the loop: wall and monotonic
    busy: Callable[[], bool]  # something runs or waits


class Control(threading.Thread):
    """Becomes the runner, stays it, and hears of changes, until told to stop."""

    def __init__(self, me: Identity, orders: Orders) -> None:
        super().__init__(name="control", daemon=True)
        self.me = me
        self._orders = orders
        self._using = conf.load().database
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False
        self._asked = self._again = False
        self._complained = False
        self._reader = registry.Reader()
        self._loaded_at = float("-inf")

    def reload(self, *, again: bool = False) -> None:
        """Read everything anew at once; safe from any thread and in a signal handler."""
        self._asked, self._again = True, self._again or again
        self.wake()

    def stop(self) -> None:
        """Give the lease back and end."""
        self._stopping = True
        self.wake()

    def run(self) -> None:
        connection.be_impatient()
        try:
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
        except (DatabaseError, InterfaceError) as error:
            connection.drop(self._using)
            if not self._complained:
                logger.error("the database does not answer, waiting: %s", str(error).strip())
            self._complained = True
            systemd.notify("STATUS=waiting for the database")
            return False
        if self._complained:
            logger.info("the database answers again")
            systemd.notify("STATUS=the database answers again")
        self._complained = False
        return done

    def _become_runner(self) -> bool:
        watch, said, code = Watch(), "", deployment.migrated_code()
        while not self._stopping:
            if deployment.migrated_code() != code and deployment.is_outdated():
                self._orders.outdated()
                return False
            holder = lease.holder()
            if holder is None or watch.expired(holder, time.monotonic()):
                if holder is not None and holder.end():
                    logger.warning("process %s was the runner and gave no sign of life, so it was killed", holder.pid)
                if lease.acquire(self.me, holder, _now()):
                    return True
                continue
            since = conf.load().local(holder.since)
            text = f"{holder.host} process {holder.pid} is the runner since {since:%Y-%m-%d %H:%M:%S %Z}"
            if text != said and not self._orders.occupied(text):
                return False
            said = text
            self._pause(RETRY_PAUSE)
            lease.observe()
        return False

    def _start(self) -> bool:
        for line in deployment.follow(_now()):
            logger.info(line)
        self._migrated_at = deployment.migrated_at()
        self._abandon_left_over()
        self._listener = Listener(self._using)
        self._listener.changed(time.monotonic())
        self._load()
        return True

    def _abandon_left_over(self) -> None:
        for run in history.open_runs():
            ended = child_process.sweep([run.marker]) if run.host == self.me.host and run.marker else ()
            if history.abandon(run, "its runner is gone", _now(), ended=ended):
                logger.warning(
                    "job %s run %s abandoned (due %s): its runner is gone",
                    run.job.name,
                    run.pk,
                    conf.load().local(run.scheduled_for).isoformat(timespec="seconds"),
                    extra={"job": run.job.name, "run": run.pk, "status": "abandoned", "fire_time": run.scheduled_for},
                )

    def _load(self) -> None:
        # All jobs when a person or a step of the clock asks for it, and as a safety net; else what changed.
        refresh = self._asked or time.monotonic() - self._loaded_at >= REFRESH_EVERY
        self._asked, again, self._again = False, self._again, False
        held = Runner.objects.using(self._using).values_list("held", flat=True).get(pk=Runner.ROW)
        queued = history.queued()
        # Last, since what it has told of once it does not tell again.
        reading = self._reader.read_all(_now()) if refresh else self._reader.read_changed(_now())
        if refresh:
            self._loaded_at = time.monotonic()
        self._orders.apply(Timetable(planned=reading.planned, gone=reading.gone, queued=queued, held=held, again=again))

    def _serve(self) -> None:
        self._beaten_at = float("-inf")
        while not self._stopping:
            self._survive(self._turn)
            self._check_loop()
            self._pause(min(self._listener.pause if not self._complained else RETRY_PAUSE, self._beat_pause()))

    def _turn(self) -> bool:
        monotonic = time.monotonic()
        if self._beat_pause() <= 0:
            turn = self._orders.loop_at()
            self._listener.tell(lease.renew(self.me, _now(), turn[0] if turn else None))
            self._beaten_at = monotonic
        changed = self._listener.changed(monotonic)
        if changed:
            self._follow_deployment()
        if changed or self._asked or monotonic - self._loaded_at >= REFRESH_EVERY:
            self._load()
            # Where changes come in a stream, they are read together and the worker gets its share of the process.
            time.sleep(min(LONGEST_REST, REST * (time.monotonic() - monotonic)))
        return True

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
        if turn is not None and time.monotonic() - turn[1] > STALLED_AFTER:
            raise RuntimeError(f"the loop has not turned since {turn[0]:%Y-%m-%d %H:%M:%S} UTC")

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
        try:
            os.write(self._wake_write, b".")
        except BlockingIOError:
            return  # it is awake already


def _now() -> datetime:
    return datetime.now(UTC)
