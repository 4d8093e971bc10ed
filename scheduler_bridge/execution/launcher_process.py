"""One launcher process, as the runner that has started it sees it."""

import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from .mark import ROOM, reserved
from .origin import Origin
from .supervisor import Pipes

READY_WITHIN: Final = 60.0  # seconds that the project's code may take to load
ANSWER_WITHIN: Final = 30.0  # seconds, as on a machine that swaps
PLAIN: Final = (
    "import sys; sys.path.append(sys.argv[1]); from scheduler_bridge.execution import launcher; "
    "launcher.main(int(sys.argv[2]))"
)
ROOT: Final = str(Path(__file__).resolve().parents[2])


class Lost(Exception):
    """The launcher is gone, or does not answer."""


class LauncherProcess:
    """One launcher process and the channel to it."""

    def __init__(self, origin: Origin, way: str) -> None:
        self.preloads = way != "exec"
        self._unfit: str | None = None
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = self._open(origin, way, theirs.fileno())
            except BaseException:
                self._channel.close()
                raise

    def _open(self, origin: Origin, way: str, descriptor: int) -> "subprocess.Popen[bytes]":
        inside = [*origin.head, "runapscheduler", "--skip-checks", "--launcher"]
        inside += [str(descriptor), str(time.time()), way, ROOM]
        return subprocess.Popen(
            inside if self.preloads else [sys.executable, "-I", "-c", PLAIN, ROOT, str(descriptor), ROOM],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=origin.cwd if os.path.isdir(origin.cwd) else "/",
            env=reserved(origin.environment),
            pass_fds=[descriptor],
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def unfit(self) -> str:
        """Wait until it serves, and say why it could not; empty when it does.

        Raises:
            Lost: it has ended, or takes too long.
        """
        if self._unfit is None:
            self._unfit = str(self._hear(READY_WITHIN)["unfit"])
        return self._unfit

    def hand_over(self, pipes: Pipes) -> str:
        """Give these ends of the pipes to a supervisor; say why its job will be a new program, if it will.

        Raises:
            Lost: it has ended, or does not answer.
        """
        try:
            socket.send_fds(self._channel, [b"run"], [pipes.control, pipes.output, pipes.report])
        except OSError as error:
            raise Lost(str(error)) from error
        return str(self._hear(ANSWER_WITHIN)["refusal"])

    def end(self) -> None:
        """End it at once; supervisors are processes of their own."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _hear(self, seconds: float) -> dict[str, Any]:
        try:
            heard = select.select([self._channel], [], [], seconds)[0]
            data = self._channel.recv(65536) if heard else None
        except OSError as error:
            raise Lost(str(error)) from error
        if data is None:
            raise Lost(f"no answer within {seconds:.0f} s")
        if not data:
            raise Lost(f"process {self._process.pid} has ended")
        answer: dict[str, Any] = json.loads(data)
        return answer
