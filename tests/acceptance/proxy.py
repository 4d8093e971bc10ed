"""A door in front of a database server, which a test can open and shut."""

import contextlib
import socket
import threading


class Door:
    """Passes bytes between its port and the server's while it is open."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        # Bound for as long as the door exists: nobody else is given its port while it is shut.
        with _reusable() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
            self._socket = _reusable()
            self._socket.bind(("127.0.0.1", self.port))  # only a port that was asked for outlasts a shutdown
        self._lock = threading.Lock()
        self._is_open = False
        self._passing: list[socket.socket] = []

    def open(self) -> None:
        self._is_open = True
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def shut(self) -> None:
        """Refuse new connections and cut those that pass."""
        with self._lock:
            self._is_open = False
            cut, self._passing = self._passing, []
        for channel in (self._socket, *cut):
            with contextlib.suppress(OSError):
                channel.shutdown(socket.SHUT_RDWR)
        for channel in cut:
            channel.close()

    def close(self) -> None:
        """Shut it for good and give its port back."""
        self.shut()
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = self._socket.accept()
                self._let_through(inner, socket.create_connection(("127.0.0.1", self._server_port)))

    def _let_through(self, inner: socket.socket, outer: socket.socket) -> None:
        with self._lock:
            if not self._is_open:  # it was shut after this one had come in
                inner.close()
                outer.close()
                return
            self._passing += [inner, outer]
        for pair in ((inner, outer), (outer, inner)):
            threading.Thread(target=_pass, args=pair, daemon=True).start()


def _reusable() -> socket.socket:
    """Give a socket that can listen on a port beside old connections of it."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return found


def _pass(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
