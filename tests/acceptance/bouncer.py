"""A pgbouncer that gives the sessions of the server to single transactions."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = "65534"
SETTINGS = """
[databases]
* = host=127.0.0.1 port=5432 user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 100
unix_socket_dir =
ignore_startup_parameters = extra_float_digits
"""


def program() -> str | None:
    """Return where the program is."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextmanager
def bouncing(size: int) -> Iterator[int]:
    """Start one with so many sessions for each database, and give its port."""
    with tempfile.TemporaryDirectory(prefix="bouncer-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        settings = Path(folder, "settings")
        settings.write_text(SETTINGS.format(port=port, size=size))
        os.chmod(folder, 0o755)
        # It refuses to be root.
        drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
        process = subprocess.Popen([*drop, str(program()), str(settings)], stderr=subprocess.DEVNULL)
        try:
            _see_answering(port)
            yield port
        finally:
            process.terminate()
            process.wait()


def _see_answering(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
