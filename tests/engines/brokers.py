"""Brokers that may be killed, emptied and thrown away: each site has one of its own, in its folder."""

import contextlib
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any, Final

from tests.chaos.servers import Server, free_port

from .names import QUEUES

RABBITMQ: Final = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's script beside it refuses all users but two
EPMD: Final = "epmd"


class NoBroker:
    """The engine that keeps its messages in the site's own database."""

    url = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self) -> None:
        """There is nothing to start."""

    def stop(self) -> None:
        """There is nothing to stop."""

    def close(self) -> None:
        """There is nothing to close."""


class Redis(Server):
    """A Redis of its own, which writes down what it was told; so a crash costs nothing."""

    user = "root"

    def create(self) -> None:
        """It makes its files itself."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        place = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        return ["redis-server", *place, "--save", "", "--appendonly", "yes", "--appendfsync", "always"]

    def is_ready(self) -> bool:
        """Say whether it has read its files."""
        with contextlib.suppress(OSError):
            return self.say("PING").startswith("+PONG")
        return False

    def empty(self) -> None:
        """Lose every message, and all that is known about workers."""
        self.say("FLUSHALL")

    def say(self, words: str) -> str:
        """Send one command in a line, as people do by hand."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(f"{words}\r\n".encode())
            return connection.recv(4096).decode()


class RabbitMQ(Server):
    """A RabbitMQ node of its own, with a name service of its own."""

    user = "rabbitmq"
    patience = 120.0  # seconds; it loads much before it answers

    def create(self) -> None:
        self._names, self._distribution = free_port(), free_port()
        self._epmd = subprocess.Popen(
            [EPMD, "-port", str(self._names), "-address", "127.0.0.1"],
            stdout=self._log,
            stderr=self._log,
            **self.identity(),
        )

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def command(self) -> list[str]:
        return [str(RABBITMQ)]

    def environment(self) -> dict[str, str]:
        own = {
            "HOME": str(self.folder),  # where the cookie is
            "ERL_EPMD_PORT": str(self._names),
            "RABBITMQ_NODENAME": f"node{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "config"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",  # one core is enough, and it does not spin
        }
        return {**super().environment(), **own}

    def is_ready(self) -> bool:
        """Say whether it takes messages."""
        import amqp

        with contextlib.suppress(OSError, amqp.exceptions.AMQPError), self._connected():
            return True
        return False

    def empty(self) -> None:
        """Lose the messages that no worker holds."""
        with self._connected() as connection:
            for queue in QUEUES:
                channel = connection.channel()
                channel.queue_declare(queue, durable=True, auto_delete=False)
                channel.queue_purge(queue)

    def wipe(self) -> None:
        """Crash, and come back without files: no message, no queue."""
        self.stop()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        self.start()

    def close(self) -> None:
        """End it for good, and the name service."""
        self.stop()
        self._epmd.kill()
        self._epmd.wait()
        super().close()

    def _connected(self) -> Any:
        import amqp

        place = f"127.0.0.1:{self.port}"
        return amqp.Connection(place, userid="guest", password="guest", connect_timeout=5)


def has_rabbitmq() -> bool:
    """Tell whether its programs are installed."""
    return RABBITMQ.exists() and shutil.which(EPMD) is not None


def has_redis() -> bool:
    """Tell whether its program is installed."""
    return shutil.which("redis-server") is not None
