"""Databases that may be broken: each run has a server of its own, in its folder."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psutil

WAIT: Final = 60.0  # seconds until a server answers
# Debian keeps PostgreSQL's programs in a folder for each version.
PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin"
POSTGRES: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


class Sqlite:
    """A file; nothing to restart."""

    engine = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "site.sqlite3"

    @property
    def settings(self) -> dict[str, Any]:
        options = {"transaction_mode": "IMMEDIATE", "timeout": 30, "init_command": "PRAGMA journal_mode=WAL"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(self.path), "OPTIONS": options}

    def start(self) -> None:
        """There is nothing to start."""

    def stop(self) -> None:
        """There is nothing to stop."""

    def close(self) -> None:
        """There is nothing to close."""


class Server:
    """A server process that is started, killed and started again on its files."""

    engine = ""
    user = ""
    patience = WAIT

    def __init__(self, folder: Path) -> None:
        # Not in the folder of the test: pytest closes the one above it to all others whenever it starts anywhere.
        self.folder = Path(tempfile.mkdtemp(prefix="sb-server-"))
        shutil.chown(self.folder, self.user) if os.geteuid() == 0 else None
        self.port = free_port()
        self._log = (folder / "server.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.create()

    def create(self) -> None:
        raise RuntimeError("each server makes its files in its own way")

    def command(self) -> list[str]:
        raise RuntimeError("each server is started in its own way")

    def start(self) -> None:
        """Start it and wait until it takes connections.

        Raises:
            TimeoutError: it does not, though it was started again whenever it ended.
        """
        deadline = time.monotonic() + self.patience
        while not (self._is_alive() and self.is_ready()):
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{self.command()[0]} does not answer after {self.patience:.0f} s:\n{self._last_words()}"
                )
            if not self._is_alive():  # it refuses while a process that it left is still in the kernel's hands
                self._launch()
            time.sleep(0.05)

    def is_ready(self) -> bool:
        """Say whether it takes connections."""
        return answers(self.port)

    def _last_words(self) -> str:
        return Path(self._log.name).read_text(errors="replace")[-2000:]

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _launch(self) -> None:
        self._process = subprocess.Popen(
            self.command(),
            stdout=self._log,
            stderr=self._log,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env=self.environment(),
            start_new_session=True,
            **self.identity(),
        )

    def stop(self) -> None:
        """Let it crash, with all its processes."""
        if self._process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                own = psutil.Process(self._process.pid)
                doomed = [own, *own.children(recursive=True)]  # each in a session of its own
                for process in doomed:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it for good, and its files."""
        self.stop()
        self._log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *words: str) -> None:
        subprocess.run(
            words,
            check=True,
            stdout=self._log,
            stderr=self._log,
            cwd=self.folder,
            env=self.environment(),
            **self.identity(),
        )

    def environment(self) -> dict[str, str]:
        """Give it a folder for temporary files that it may write to."""
        return {**os.environ, "TMPDIR": str(self.folder)}

    def identity(self) -> dict[str, Any]:
        """Give up root: these servers refuse to run as it."""
        return {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid} if os.geteuid() == 0 else {}


class Postgres(Server):
    """A PostgreSQL of its own."""

    engine, user = "postgres", "postgres"
    address = "127.0.0.1"  # where else it is reached, from the same network

    def create(self) -> None:
        words = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")
        self.run(self.program("initdb"), "-D", str(self.data), *words)
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")

    def is_ready(self) -> bool:
        """Say whether it takes connections: its port is open before it does."""
        words = [self.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(words).returncode == 0

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def program(self, name: str) -> str:
        """Give the path of one of PostgreSQL's own programs."""
        return str(POSTGRES[-1].parent / name)

    def options(self) -> dict[str, Any]:
        """Give what is said to the server at its start."""
        return {
            "port": self.port,
            "listen_addresses": ",".join(sorted({"127.0.0.1", self.address})),
            "unix_socket_directories": "",
            "max_connections": 50,
        }

    def command(self) -> list[str]:
        words = [word for name, value in self.options().items() for word in ("-c", f"{name}={value}")]
        return [self.program("postgres"), "-D", str(self.data), *words]

    @property
    def settings(self) -> dict[str, Any]:
        place = {"HOST": self.address, "PORT": self.port, "USER": "postgres", "NAME": "postgres"}
        return {"ENGINE": "django.db.backends.postgresql", **place}


class MariaDB(Server):
    """A MariaDB of its own."""

    engine, user = "mariadb", "mysql"

    def create(self) -> None:
        words = ("--no-defaults", f"--datadir={self.folder / 'data'}", "--auth-root-authentication-method=normal")
        self.run("mariadb-install-db", *words, "--skip-test-db")

    def command(self) -> list[str]:
        # No socket in the file system: its path may be longer than the kernel takes.
        place = (f"--datadir={self.folder / 'data'}", "--socket=", f"--port={self.port}")
        words = (
            "--bind-address=127.0.0.1",
            f"--pid-file={self.folder / 'pid'}",
            "--skip-log-bin",
            "--skip-name-resolve",
        )
        return [shutil.which("mariadbd", path=PATH) or "mariadbd", "--no-defaults", *place, *words]

    def is_ready(self) -> bool:
        """Say whether it has the site's database: its port is open before it can serve."""
        import MySQLdb

        try:
            with contextlib.closing(MySQLdb.connect(host="127.0.0.1", port=self.port, user="root")) as connection:
                connection.cursor().execute("CREATE DATABASE IF NOT EXISTS site CHARACTER SET utf8mb4")
        except MySQLdb.OperationalError:
            return False
        return True

    @property
    def settings(self) -> dict[str, Any]:
        place = {"HOST": "127.0.0.1", "PORT": self.port, "USER": "root", "NAME": "site"}
        return {"ENGINE": "django.db.backends.mysql", **place, "OPTIONS": {"charset": "utf8mb4"}}


ENGINES: Final = {"sqlite": Sqlite, "postgres": Postgres, "mariadb": MariaDB}


def engines() -> tuple[str, ...]:
    """Give the databases whose programs and drivers are installed here."""
    has_mariadb = bool(shutil.which("mariadb-install-db") and shutil.which("mariadbd", path=PATH))
    found = {
        "sqlite": True,
        "postgres": bool(POSTGRES and (find_spec("psycopg") or find_spec("psycopg2"))),
        "mariadb": bool(has_mariadb and find_spec("MySQLdb")),
    }
    return tuple(name for name, is_here in found.items() if is_here)


@contextlib.contextmanager
def serving(engine: str, folder: Path) -> Iterator[Any]:
    """Start a database of this kind in this folder, and end it."""
    with contextlib.closing(ENGINES[engine](folder)) as server:
        server.start()
        yield server


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
