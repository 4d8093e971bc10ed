"""The process of a job before the job's own code: it waits for its task, so that the fork is done when that comes."""

import json
import os
import select
import signal
import socket
from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from .mark import Face


class Code(Protocol):
    """The project's code in a process that was forked from one that has loaded it."""

    def warm(self) -> None:
        """Touch what every command needs: a fork copies each page of memory when it is first written."""

    def become(self, command: list[str], arguments: list[str]) -> object:
        """Run a command and end the process as Python would; does not come back."""


def fork(
    own: socket.socket, handlers: Mapping[signal.Signals, Any], face: Face | None, code: Code | None
) -> tuple[int, socket.socket]:
    """Fork the process of a job; give its number, and the socket by which it is told what to do.

    Args:
        own: what belongs to the calling process alone.
        handlers: the signal handlers as they were before the calling process set its own.
        code: what this process has loaded for jobs that are forks; None where it has nothing.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        own.close()
        ours.close()
        _live(theirs, handlers, face, code)
    theirs.close()
    return pid, ours


def give(link: socket.socket, task: bytes, output: int) -> None:
    """Tell the process what to do, and where to write."""
    with link:
        try:
            socket.send_fds(link, [b"%08d" % len(task)], [output])
            link.sendall(task)
        except OSError:
            return  # somebody has ended it, which its exit status says


def _live(
    link: socket.socket, handlers: Mapping[signal.Signals, Any], face: Face | None, code: Code | None
) -> NoReturn:
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if code is not None and not select.select([link], [], [], 0)[0]:
            code.warm()
        task = _receive(link)
        os.chdir(task["cwd"])
        if task["anew"] or code is None:
            _load_program(task["command"], task["environment"])
        if face is not None:
            face.show(task["marker"], task["command"])
        code.become(task["command"], task["arguments"])
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "backslashreplace"))
    finally:
        os._exit(127)  # as a shell says that it could not start a program


def _receive(link: socket.socket) -> dict[str, Any]:
    with link:
        size, descriptors, *_ = socket.recv_fds(link, 8, 1)
        if not descriptors:
            os._exit(0)  # it is not needed
        data = b""
        while len(data) < int(size):
            data += link.recv(int(size) - len(data))
    _take_streams(descriptors[0])
    task: dict[str, Any] = json.loads(data)
    return task


def _take_streams(output: int) -> None:
    """Read nothing, and write to the pipe."""
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, number in ((null, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, number)
    os.close(null)
    os.close(output)


def _load_program(command: list[str], environment: dict[str, str]) -> NoReturn:
    # Python ignores these two for itself, which would pass on.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execve(command[0], command, environment)
