"""A PostgreSQL and the replica that streams from it, and what it takes to go on with the replica."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.servers import Postgres

psycopg = pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed here")


class Replica(Postgres):
    """A copy of another server that follows it."""

    def __init__(self, folder: Path, primary: Postgres) -> None:
        self._primary = primary
        folder.mkdir()
        super().__init__(folder)

    def create(self) -> None:
        origin = f"host=127.0.0.1 port={self._primary.port} user=postgres"
        words = ("-X", "stream", "--checkpoint=fast", "--no-sync", "-R", "-d", origin)
        self.run(self.program("pg_basebackup"), "-D", str(self.data), *words)


class Pair:
    """The two of them, as one database to whoever connects: to the one that can be written to."""

    def __init__(self, primary: Postgres, replica: Replica) -> None:
        self.primary, self.replica = primary, replica

    @property
    def settings(self) -> dict[str, Any]:
        place = {"HOST": "127.0.0.1,127.0.0.1", "PORT": f"{self.primary.port},{self.replica.port}"}
        return {**self.primary.settings, **place, "OPTIONS": {"target_session_attrs": "read-write"}}

    def be_synchronous(self) -> None:
        """Let no commit be answered before the replica has it."""
        configure(self.primary, synchronous_standby_names="*")

    def fall_behind(self) -> None:
        """Let the replica hear nothing more."""
        configure(self.replica, primary_conninfo="")
        while ask(self.primary, "SELECT count(*) FROM pg_stat_replication") != 0:
            pass

    def fail_over(self) -> None:
        """Let the primary crash, and make the replica the one that can be written to."""
        self.primary.stop()
        ask(self.replica, "SELECT pg_promote()")


def configure(server: Postgres, **settings: str) -> None:
    for name, value in settings.items():
        ask(server, f"ALTER SYSTEM SET {name} = '{value}'")
    ask(server, "SELECT pg_reload_conf()")


def ask(server: Postgres, statement: str) -> Any:
    place = {"host": "127.0.0.1", "port": server.port, "user": "postgres", "dbname": "postgres"}
    with psycopg.connect(**place, autocommit=True) as connection:
        answer = connection.execute(statement.encode())
        return answer.fetchone()[0] if answer.description else None


@contextmanager
def replicated(folder: Path) -> Iterator[Pair]:
    """Start both, in this folder, and end them."""
    with closing(Postgres(folder)) as primary:
        primary.start()
        with closing(Replica(folder / "replica", primary)) as replica:
            replica.start()
            yield Pair(primary, replica)
