"""A proxy in front of PostgreSQL that counts the statements that pass.

It reads the frontend's messages: each Query ("Q") and each Execute ("E") is one statement, BEGIN and COMMIT included.
That is exact, needs no extension in the server, and no setting that other users of it would feel.
"""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass, field

COUNTED = frozenset(b"QE")


@dataclass
class Messages:
    """Finds the types of messages in a frontend's stream, however it is cut into pieces."""

    statements: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    _started: bool = False

    def feed(self, data: bytes) -> None:
        """Take the next piece of the stream."""
        self._buffer += data
        while self._take():
            pass

    def _take(self) -> bool:
        head = 5 if self._started else 4  # the first message has no type
        if len(self._buffer) < head:
            return False
        (length,) = struct.unpack_from("!I", self._buffer, head - 4)
        end = head - 4 + length
        if len(self._buffer) < end:
            return False
        self.statements += self._started and self._buffer[0] in COUNTED
        self._started = True
        del self._buffer[:end]
        return True


class CountingProxy:
    """Listens on a port of its own and passes everything on to the server."""

    def __init__(self, host: str = "127.0.0.1", port: int = 5432) -> None:
        self._server = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sessions: list[Messages] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def statements(self) -> int:
        return sum(session.statements for session in self._sessions)

    @property
    def connections(self) -> int:
        """Give the number of connections made so far."""
        return len(self._sessions)

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = self._listening.accept()
                outer = socket.create_connection(self._server)
                messages = Messages()
                self._sessions.append(messages)
                threading.Thread(target=_pass, args=(inner, outer, messages), daemon=True).start()
                threading.Thread(target=_pass, args=(outer, inner, None), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, messages: Messages | None) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            if messages is not None:
                messages.feed(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
