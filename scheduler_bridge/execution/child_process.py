"""Executes a command in a process of its own, under a supervisor, and drains its output while it runs."""

import json
import os
import selectors
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import psutil

from .. import pidfd
from ..models import Status
from ..schedules import interval_words
from . import ended, lifeline, tree
from .exit_code import signal_name
from .mark import MARKER, is_of
from .origin import Origin
from .outcome import Outcome, Usage
from .output import Capture
from .spawner import Spawner

CHUNK: Final = 64 * 1024  # bytes, the size of a pipe
LOOK_EVERY: Final = 0.2  # seconds between two questions whether to stop
SHOW_EVERY: Final = 0.5  # seconds between two updates of the live output
LOOKS: Final = 5  # what one process starts while it is being ended is found by the next look
DRAIN: Final = 1.0  # seconds for what is still in the pipe after the end


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One external run."""

    command: str
    args: tuple[str, ...]
    timeout: timedelta | None
    kill_after: timedelta
    output_limit: int  # bytes
    marker: str  # the whole mark that the processes carry
    skip_checks: bool


@dataclass(frozen=True, slots=True)
class StopRequest:
    """The wish that a run ends before its time, and why."""

    reason: str


def run(
    spec: ChildSpec,
    spawner: Spawner,
    *,
    on_output: Callable[[str], object],
    stop: Callable[[], StopRequest | None],
    until: Callable[[], float | None] = lambda: None,
) -> Outcome:
    """Execute a command under a supervisor and say how it ended.

    Args:
        on_output: is given what was printed so far, about twice a second while that grows.
        stop: is asked several times a second whether the run must end now.
        until: is asked likewise for the moment, by the machine's uptime, at which the supervisor ends the run even if
            nothing more is heard from here; None lets it go on.
    """
    try:
        if any("\0" in word for word in spec.args):
            raise ValueError(f"expected arguments without NUL, got: {list(spec.args)!r}")
        return _Supervised(spec, spawner, until).follow(on_output, stop)
    except (OSError, ValueError) as error:
        text = f"{type(error).__name__}: {error}"
        return Outcome(status=Status.FAILED, exit_code=None, output=f"{text}\n", reason=f"not started: {text}")


def sweep(marks: Collection[str]) -> tuple[str, ...]:
    """End every process of this user that carries one of these marks, and say which they were."""
    names: dict[int, str] = {}
    seen: set[int] = set()
    for _ in range(LOOKS):
        found = [process for process in _processes() if process.pid not in seen and _mark(process) in marks]
        if not found:
            break
        seen |= {process.pid for process in found}
        _end(found, marks, names)
    return tuple(names.values())


def _end(found: Collection[psutil.Process], marks: Collection[str], names: dict[int, str]) -> None:
    with ExitStack() as stack:
        held = [(process, stack.enter_context(pidfd.held(process.pid))) for process in found]
        ours = [(process, descriptor) for process, descriptor in held if _mark(process) in marks]
        for process, descriptor in ours:
            tree.send(process, signal.SIGTERM, names, descriptor)
        alive = psutil.wait_procs([process for process, _ in ours], timeout=2)[1]
        for process, descriptor in ours:
            if process in alive:
                tree.send(process, signal.SIGKILL, names, descriptor)
        psutil.wait_procs(alive, timeout=2)


def left_alone(marker: str, mark: str) -> tuple[str, ...]:
    """Name the processes that belong to this run, or to the one it is a copy of: they do not carry the whole mark."""
    names: dict[int, str] = {}
    for process in _processes():
        carried = _mark(process)
        if carried and carried != mark and is_of(carried, marker):
            tree.note(process, names)
    return tuple(names.values())


def _processes() -> Iterator[psutil.Process]:
    """Look at all processes as they are now: psutil keeps what it knows of one, which is not true of the next one.

    In a process that goes on for days numbers come again, and the one that has the number now would not be ended.
    """
    psutil.process_iter.cache_clear()
    return psutil.process_iter()


def _mark(process: psutil.Process) -> str | None:
    try:
        mark: str | None = process.environ().get(MARKER)
    except (psutil.Error, OSError):  # of another user, or gone
        return None
    return mark


class _Supervised:
    """A running supervisor, the pipes to it, and what came out of them."""

    def __init__(self, spec: ChildSpec, spawner: Spawner, until: Callable[[], float | None]) -> None:
        self._spec = spec
        self.capture = Capture(spec.output_limit)
        self._request: StopRequest | None = None
        self._status = bytearray()
        self._shown, self._shown_at = 0, time.monotonic()
        self._pipes = spawner.spawn()
        # Asked for as late as this: a launcher may take longer to load the project than a run may go on unheard of.
        self._until, self._allowed = until, until()
        task = json.dumps(self._task(spawner.origin)).encode()
        self._tell(b"%08d" % len(task) + task)

    def _task(self, origin: Origin) -> dict[str, Any]:
        spec = self._spec
        arguments = [spec.command, *(["--skip-checks"] if spec.skip_checks else []), *spec.args]
        return {
            "marker": spec.marker,
            "command": [*origin.head, *arguments],
            "arguments": arguments,
            "environment": {**origin.environment, MARKER: spec.marker},
            "cwd": origin.cwd,
            "until": self._allowed,
            "timeout": None if spec.timeout is None else spec.timeout.total_seconds(),
            "kill_after": spec.kill_after.total_seconds(),
        }

    def follow(self, on_output: Callable[[str], object], stop: Callable[[], StopRequest | None]) -> Outcome:
        """Drain until the supervisor has reported, then for a moment more."""
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._pipes.output, selectors.EVENT_READ)
                selector.register(self._pipes.report, selectors.EVENT_READ)
                while self._pipes.report in selector.get_map():
                    self._read(selector, min(LOOK_EVERY, self._until_shown()))
                    self._prolong()
                    self._obey(stop())
                    self._show(on_output)
                deadline = time.monotonic() + DRAIN
                while self._pipes.output in selector.get_map() and time.monotonic() < deadline:
                    self._read(selector, deadline - time.monotonic())
        finally:
            self._pipes.close()
        return self._outcome()

    def _read(self, selector: selectors.BaseSelector, timeout: float) -> None:
        for key, _mask in selector.select(max(0.0, timeout)):
            data = os.read(key.fd, CHUNK)
            if key.fd == self._pipes.output:
                self.capture.write(data)
                ended = not data
            else:
                self._status += data
                ended = not data or data.endswith(b"\n")
            if ended:
                selector.unregister(key.fd)

    def _obey(self, request: StopRequest | None) -> None:
        if request is not None and self._request is None:
            self._request = request
            self._tell(lifeline.STOP)

    def _prolong(self) -> None:
        """Pass on that the run may go on for longer."""
        moment = self._until()
        if moment is not None and moment != self._allowed:
            self._allowed = moment
            self._tell(lifeline.until(moment))

    def _until_shown(self) -> float:
        """Give the seconds until what was printed since the last time may be shown."""
        if self.capture.version == self._shown:
            return LOOK_EVERY
        return max(0.0, self._shown_at + SHOW_EVERY - time.monotonic())

    def _show(self, on_output: Callable[[str], object]) -> None:
        if self.capture.version != self._shown and self._until_shown() == 0:
            self._shown, self._shown_at = self.capture.version, time.monotonic()
            on_output(self.capture.preview())

    def _tell(self, message: bytes) -> None:
        try:
            while message:
                message = message[os.write(self._pipes.control, message) :]
        except BrokenPipeError:
            return  # it has ended; its report says how

    def _outcome(self) -> Outcome:
        if not self._status:
            return self._lost()
        report = json.loads(self._status)
        code: int | None = report["code"]
        self.capture.write(ended.lines(report["ended"]))
        status, reason = self._verdict(report["why"], code)
        usage = Usage(cpu_seconds=max(0.0, report["cpu"]), peak_memory=report["peak"])
        return Outcome(status=status, exit_code=code, output=self.capture.take(), reason=reason, usage=usage)

    def _verdict(self, why: str, code: int | None) -> tuple[Status, str]:
        if why == "timeout" and self._spec.timeout is not None:
            return Status.TIMED_OUT, f"no end within {interval_words(self._spec.timeout) or self._spec.timeout}"
        if why == "expired":
            return Status.FAILED, "ended by its supervisor: the database was out of reach"
        if why:
            return Status.CANCELLED, self._request.reason if self._request else "its supervisor was told to stop"
        if code == 0:
            return Status.SUCCEEDED, ""
        return Status.FAILED, _failure(code, self.capture.preview())

    def _lost(self) -> Outcome:
        """Say what is known when the supervisor was killed, and end what it left."""
        self.capture.write(ended.lines(sweep([self._spec.marker])))
        reason = "its supervisor ended without a report"
        return Outcome(status=Status.FAILED, exit_code=None, output=self.capture.take(), reason=reason)


def _failure(code: int | None, output: str) -> str:
    if code is not None and code < 0:
        return f"killed by {signal_name(-code)}"
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(ended.HEAD)]
    return f"exit code {code}: {lines[-1].strip()[:200]}" if lines else f"exit code {code}"
