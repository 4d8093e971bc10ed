"""Databases of the benchmark's own: created before, dropped after."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

NUMBERS = count(1)
TITLES = {"sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MariaDB"}


@dataclass(frozen=True, slots=True)
class Database:
    """One database on one engine."""

    engine: str
    name: str

    @classmethod
    def new(cls, engine: str, folder: Path) -> "Database":
        """Name a database that nobody else uses."""
        name = f"scheduler_bridge_bench_{os.getpid()}_{next(NUMBERS)}"
        return cls(engine, str(folder / f"{name}.sqlite3") if engine == "sqlite" else name)

    @property
    def title(self) -> str:
        return TITLES[self.engine]

    @property
    def environment(self) -> Mapping[str, str]:
        """Give what the site's settings read."""
        return {"BENCH_ENGINE": self.engine, "BENCH_DATABASE": self.name}

    def create(self) -> None:
        if self.engine != "sqlite":
            execute(self.engine, f"CREATE DATABASE {self.name}")

    def drop(self) -> None:
        if self.engine == "sqlite":
            for suffix in ("", "-wal", "-shm"):
                Path(self.name + suffix).unlink(missing_ok=True)
        else:
            force = " WITH (FORCE)" if self.engine == "postgres" else ""
            execute(self.engine, f"DROP DATABASE IF EXISTS {self.name}{force}")


def version(engine: str) -> str:
    """Give the version of the server.

    Raises:
        Exception: no server answers, or its client is not installed.
    """
    if engine == "sqlite":
        import sqlite3

        return sqlite3.sqlite_version
    question = "SHOW server_version" if engine == "postgres" else "SELECT version()"
    return execute(engine, question)


def execute(engine: str, statement: str) -> str:
    """Execute one statement on the server itself and give its first value, if any."""
    if engine == "postgres":
        import psycopg

        host = os.environ.get("DATABASE_HOST", "127.0.0.1")
        with psycopg.connect(f"host={host} user=postgres dbname=postgres", autocommit=True) as server:
            cursor = server.execute(statement.encode())
            return str((cursor.fetchone() or [""])[0]) if cursor.description else ""
    import MySQLdb

    connection = MySQLdb.connect(host=os.environ.get("DATABASE_HOST", "127.0.0.1"), user="root")
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        return str((cursor.fetchone() or [""])[0]) if cursor.description else ""
    finally:
        connection.close()
