"""A Redis server of the benchmark's own, so that nothing of it is left in another one."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .processes import Process, wait_for


def program() -> str:
    """Give the path of the server; empty where it is not installed."""
    return shutil.which("redis-server") or ""


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Give the address of a server that keeps nothing on disk."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = [program(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = Process(words, {}, folder, folder / "redis.log")
    try:
        wait_for(lambda: answers(port), 10, "redis-server")
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.stop()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def waiting(address: str, queue: str) -> int:
    """Give how many messages wait in a queue of RQ."""
    import redis

    return int(redis.Redis.from_url(address).llen(f"rq:queue:{queue}"))
