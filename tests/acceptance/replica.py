"""A PostgreSQL and the replica that streams from it, and what it takes to go on with the replica."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.servers import Postgres

psycopg = pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed here")

RUNS = "pg_get_serial_sequence('scheduler_bridge_run', 'id')"  # what numbers the runs
LEAP = 1000  # numbers


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
        """Let the replica hear nothing more than what was said until now, while no run is recorded.

        A sequence tells only of each 32nd number. So the replica hears of one that is far ahead: what it records later
        would else bear the numbers of runs that it has never heard of.
        """
        number = ask(self.primary, f"SELECT nextval({RUNS})")
        ask(self.primary, f"SELECT setval({RUNS}, {number + LEAP})")
        said = ask(self.primary, "SELECT pg_current_wal_lsn()::text")
        until(self.replica, f"pg_last_wal_receive_lsn() >= '{said}'")
        configure(self.replica, primary_conninfo="")
        until(self.primary, "NOT EXISTS (SELECT 1 FROM pg_stat_replication)")
        ask(self.primary, f"SELECT setval({RUNS}, {number})")

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


def until(server: Postgres, condition: str) -> None:
    """Wait until something is so."""
    while not ask(server, f"SELECT {condition}"):
        time.sleep(0.05)


@contextmanager
def replicated(folder: Path) -> Iterator[Pair]:
    """Start both, in this folder, and end them."""
    with closing(Postgres(folder)) as primary:
        primary.start()
        with closing(Replica(folder / "replica", primary)) as replica:
            replica.start()
            yield Pair(primary, replica)
