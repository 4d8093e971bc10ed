"""The supervisor: one small process per external run, forked by the launcher before it is needed.

It is the parent of last resort of the job's whole tree, so that nothing the job starts can get out of reach: not by
setsid, not by forking twice. It ends that tree at the timeout, when told, and when the runner dies, which closes the
pipe between them. It waits for the process, never for its pipes.
"""

import json
import os
import select
import signal
import socket
import time
import traceback
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import Final, NoReturn

from . import job_process, stack
from .job_process import Code
from .lifeline import Lifeline
from .mark import Face
from .tree import Tree, become_subreaper
from .uptime import uptime

HEEDED: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
ANEW: Final = b"anew"  # the job is to be a new program, not a fork


@dataclass(frozen=True, slots=True)
class Pipes:
    """The supervisor's ends of the pipes to the runner."""

    control: int  # what to do; after it a wish to end; closed when the runner is gone
    output: int  # for the job, and for what announces its stack
    report: int  # how it ended

    def close(self) -> None:
        for descriptor in astuple(self):
            os.close(descriptor)


def supervise(channel: socket.socket, face: Face | None, code: Code | None) -> NoReturn:
    """Wait for the pipes of a run, run its job, and report how it ended; the calling process was forked for this."""
    try:
        _supervise(channel, face, code)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)  # how it went is in the report, if there is one


def _supervise(channel: socket.socket, face: Face | None, code: Code | None) -> None:
    os.setsid()
    become_subreaper()
    handlers = {number: signal.getsignal(number) for number in HEEDED}
    job, link = job_process.fork(channel, handlers, face, code)
    wake = _heed_signals()
    with channel:
        word, descriptors, *_ = socket.recv_fds(channel, 16, 3, socket.MSG_CMSG_CLOEXEC)
    if not descriptors:
        return  # the launcher is gone
    pipes = Pipes(*descriptors)
    task = {**json.loads(_read_task(pipes.control)), "anew": word == ANEW}
    if face is not None:
        face.show(task["marker"], ["scheduler_bridge:", "supervisor", "of", *task["command"]])
    tree = Tree(job)
    job_process.give(link, json.dumps(task).encode(), pipes.output)
    why = _watch(tree, Lifeline(pipes.control, task["until"]), wake, task["timeout"])
    if why == "timeout":
        stack.ask(pipes.output)
    os.close(pipes.output)
    ended = tree.end(0.0 if why in {"orphaned", "expired"} else task["kill_after"])
    report = {"code": tree.code, "why": why, "ended": ended, "cpu": tree.cpu, "peak": tree.peak}
    with suppress(BrokenPipeError):  # nobody is there any more to read it
        os.write(pipes.report, json.dumps(report).encode() + b"\n")


def _heed_signals() -> int:
    """Give a descriptor that becomes readable at a signal."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in HEEDED:
        signal.signal(number, _heed)
    return reader


def _heed(number: int, frame: object) -> None:
    """Do nothing: the wake-up descriptor tells, and a handler makes that happen."""


def _read_task(control: int) -> bytes:
    """Read what to do: its length in eight digits, then as many bytes."""
    return _read(control, int(_read(control, 8)))


def _read(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(descriptor, size - len(data))
        if not piece:
            os._exit(0)  # the runner is gone already, or has thought better of it
        data += piece
    return data


def _watch(tree: Tree, lifeline: Lifeline, wake: int, timeout: float | None) -> str:
    """Wait until the job ends, and say why it must be ended if it did not by itself."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while tree.reap() and tree.code is None:
        left = _left(deadline, lifeline.until)
        ready = select.select([lifeline.descriptor, wake], [], [], min(left.values(), default=None))[0]
        if lifeline.descriptor in ready and (why := lifeline.read()):
            return why
        if wake in ready and {signal.SIGTERM, signal.SIGINT, signal.SIGHUP} & set(os.read(wake, 100)):
            return "stopped"
        over = [why for why, seconds in _left(deadline, lifeline.until).items() if seconds <= 0]
        if over:
            return over[0]
    return ""


def _left(deadline: float | None, until: float | None) -> dict[str, float]:
    """Give the seconds that are left to the job, by what ends it then."""
    moments = {"timeout": (deadline, time.monotonic()), "expired": (until, uptime())}
    return {why: max(0.0, moment - now) for why, (moment, now) in moments.items() if moment is not None}
