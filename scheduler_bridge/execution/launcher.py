"""The launcher: a small program of one thread, the runner's child, that forks the supervisor of each external run.

The runner itself must not fork: it has threads, and connections to the database. The launcher has neither. It ends
when the runner does.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
from typing import Any, Final, Protocol

from .job_process import Code
from .mark import Face
from .supervisor import ANEW, supervise

PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
STAND_BACK: Final = 0.002  # seconds in which a run that was just handed over has the processors for itself
PYTHONS_OWN: Final = {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE, signal.SIGXFSZ}


class Preloaded(Protocol):
    """The project's code, loaded into the launcher, so that a job can be a fork of it."""

    def refusal(self) -> str:
        """Say why a fork would not be as good as a new process now; empty when it would."""

    @property
    def code(self) -> Code:
        """What a job runs that is a fork."""


def main(descriptor: int) -> None:
    """Serve with nothing loaded: each job is a new program."""
    prepare()
    try:
        face = Face.find()
    except (OSError, ValueError):
        face = None
    serve(socket.socket(fileno=descriptor), face, None)


def prepare() -> None:
    """End with the runner, and undo what was inherited of signals."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in signal.valid_signals() - PYTHONS_OWN:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def serve(channel: socket.socket, face: Face | None, preloaded: Preloaded | None) -> None:
    """Hand a supervisor each three pipes that come, until the runner closes the channel."""
    # Nobody waits for a supervisor: it reports by its pipe, and the system forgets it.
    children = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if face is not None:
        face.show("", ["scheduler_bridge:", "launcher"])

    def fork() -> socket.socket:
        """Fork a supervisor ahead of its run, since that takes most of the time."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            channel.close()
            ours.close()
            signal.signal(signal.SIGCHLD, children)
            supervise(theirs, face, preloaded.code if preloaded else None)
        theirs.close()
        return ours

    supervisor = fork()
    say(channel, {"unfit": ""})
    while pipes := _receive(channel):
        refusal = preloaded.refusal() if preloaded else ""
        if not _hand(supervisor, pipes, refusal):
            supervisor = fork()  # somebody has ended the one that waited
            _hand(supervisor, pipes, refusal)
        say(channel, {"refusal": refusal})
        supervisor.close()
        select.select([channel], [], [], STAND_BACK)
        supervisor = fork()
    os._exit(0)


def _receive(channel: socket.socket) -> list[int]:
    try:
        return socket.recv_fds(channel, 16, 3, socket.MSG_CMSG_CLOEXEC)[1]
    except OSError:
        return []  # the runner did not wait for the last answer


def _hand(supervisor: socket.socket, pipes: list[int], refusal: str) -> bool:
    try:
        socket.send_fds(supervisor, [ANEW if refusal else b"fork"], pipes)
    except OSError:
        return False
    for descriptor in pipes:
        os.close(descriptor)
    return True


def say(channel: socket.socket, message: dict[str, Any]) -> None:
    """Tell the runner; one that is gone needs no launcher."""
    try:
        channel.send(json.dumps(message).encode())
    except OSError:
        os._exit(0)
