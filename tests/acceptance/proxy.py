"""A door in front of a database server, which a test can open and shut."""

import contextlib
import socket
import threading


class Door:
    """Passes bytes between its port and the server's while it is open."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._listening: socket.socket | None = None
        self._passing: list[socket.socket] = []

    def open(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=[self._listening], daemon=True).start()

    def shut(self) -> None:
        """Refuse new connections and cut those that pass."""
        for channel in [self._listening, *self._passing]:
            if channel is not None:
                with contextlib.suppress(OSError):
                    channel.shutdown(socket.SHUT_RDWR)
                channel.close()
        self._listening, self._passing = None, []

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = listening.accept()
                outer = socket.create_connection(("127.0.0.1", self._server_port))
                self._passing += [inner, outer]
                for pair in ((inner, outer), (outer, inner)):
                    threading.Thread(target=_pass, args=pair, daemon=True).start()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
