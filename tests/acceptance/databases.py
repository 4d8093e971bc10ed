"""The databases of sites: made empty, or as copies of one that is migrated already."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.settings import ENGINE


def create(name: str, options: str = "") -> None:
    """Make an empty database; a file comes into being by itself."""
    if ENGINE != "sqlite":
        _execute(f"CREATE DATABASE {name} {options}")


def copy(template: str, name: str) -> None:
    """Make a database that is like the template, to which nobody may be connected."""
    if ENGINE == "sqlite":
        shutil.copy(template, name)
    elif ENGINE == "postgres":
        _execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    else:
        create(name)
        with _mariadb(name) as cursor:
            _copy_tables(cursor, template)


def drop(name: str) -> None:
    """Leave nothing of a database on a server; a file goes with its folder."""
    if ENGINE != "sqlite":
        _execute(f"DROP DATABASE {name}{' WITH (FORCE)' if ENGINE == 'postgres' else ''}")


def _execute(statement: str) -> None:
    with _postgres() if ENGINE == "postgres" else _mariadb() as cursor:
        cursor.execute(statement)


@contextmanager
def _postgres() -> Iterator[Any]:
    from django.db.backends.postgresql.base import Database  # the driver that is installed

    with closing(Database.connect("host=127.0.0.1 user=postgres dbname=postgres")) as connection:
        connection.autocommit = True
        yield connection.cursor()


@contextmanager
def _mariadb(name: str = "") -> Iterator[Any]:
    import MySQLdb

    with closing(MySQLdb.connect(host="127.0.0.1", user="root", db=name, autocommit=True)) as connection:
        yield connection.cursor()


def _copy_tables(cursor: Any, template: str) -> None:
    """Copy tables with their foreign keys, which LIKE would leave out, whatever their order."""
    cursor.execute("SET foreign_key_checks = 0")
    cursor.execute(f"SHOW TABLES FROM {template}")
    for (table,) in cursor.fetchall():
        cursor.execute(f"SHOW CREATE TABLE {template}.{table}")
        cursor.execute(cursor.fetchone()[1])
        cursor.execute(f"INSERT INTO {table} SELECT * FROM {template}.{table}")
