"""What tells a database from its copies; real servers and files are in the acceptance tests."""

import os
import shutil
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from django.db import OperationalError, ProgrammingError, connection
from django.db.backends.sqlite3.base import DatabaseWrapper

from scheduler_bridge import identity


@pytest.fixture(autouse=True)
def unlearnt(monkeypatch):
    monkeypatch.setattr(identity, "_learnt", identity.Learnt())


def test_one_database_is_the_same_at_each_look(db):
    assert identity.known() == ""
    found = identity.learn("default")
    assert len(found) == identity.LENGTH
    assert identity.learn("default") == found == identity.known()


@pytest.fixture
def learn(monkeypatch):
    """Give what stands for the database behind a connection."""

    def learn(found) -> str:
        monkeypatch.setattr(identity, "connections", {"here": found})
        return identity.learn("here")

    return learn


@pytest.fixture
def file(db, tmp_path, learn):
    """Give what stands for a file of SQLite."""

    def of(name: str) -> str:
        settings = {**connection.settings_dict, "NAME": str(tmp_path / name), "OPTIONS": {}}
        opened = DatabaseWrapper(settings, "here")
        try:
            return learn(opened)
        finally:
            opened.close()

    sqlite3.connect(tmp_path / "original").close()
    return of


def test_a_copy_of_a_file_is_another_database_and_another_name_of_it_is_none(file, tmp_path):
    original = file("original")
    shutil.copy(tmp_path / "original", tmp_path / "copy")
    (tmp_path / "link").symlink_to("original")
    assert file("copy") != original
    assert file("link") == original
    (tmp_path / "original").rename(tmp_path / "moved")
    assert file("moved") == original


def test_a_file_that_was_replaced_is_noticed_and_one_that_is_away_is_waited_for(file, tmp_path):
    assert not identity.is_replaced()
    file("original")
    assert not identity.is_replaced()
    (tmp_path / "original").rename(tmp_path / "before")
    assert not identity.is_replaced()
    shutil.copy(tmp_path / "before", tmp_path / "original")
    assert identity.is_replaced()


@dataclass
class Server:
    """A connection to a server that answers as told."""

    vendor: str
    answers: dict[str, object]  # by a word of the statement
    host: str = ""

    alias = "here"
    in_atomic_block = False

    @property
    def connection(self):
        return SimpleNamespace(info=SimpleNamespace(host=self.host))

    @property
    def settings_dict(self):
        return {"HOST": self.host, "PORT": ""}

    @contextmanager
    def cursor(self):
        found: list[object] = []

        def execute(statement: str) -> None:
            answer = next(answer for word, answer in self.answers.items() if word in statement)
            if isinstance(answer, Exception):
                raise answer
            found[:] = answer

        yield SimpleNamespace(execute=execute, fetchall=lambda: found)


def postgresql(host="", **changes: object) -> Server:
    row = {"address": "10.0.0.5", "port": 5432, "own_port": "5432", "oid": 16384, "cluster": 7, **changes}
    return Server("postgresql", {"pg_database": [tuple(row.values())]}, host)


@pytest.mark.parametrize(
    "changes", [{"address": "10.0.0.6"}, {"port": 5433}, {"own_port": "5433"}, {"oid": 16385}, {"cluster": 8}]
)
def test_each_thing_that_differs_makes_another_database_of_postgresql(learn, changes):
    assert learn(postgresql(**changes)) != learn(postgresql()) == learn(postgresql())


def test_a_server_that_is_reached_by_a_socket_is_told_by_its_folder_whatever_that_is_called(learn, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "link").symlink_to("one")
    one, two, link = (
        learn(postgresql(str(tmp_path / name), address=None, port=None)) for name in ("one", "two", "link")
    )
    assert one == link != two
    assert learn(postgresql("pooler", address=None)) != learn(postgresql("another", address=None))


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (postgresql(address="127.0.0.1"), False),
        (postgresql(address="::1"), False),
        (postgresql("/tmp", address=None), False),
        (postgresql(), True),
    ],
)
def test_a_local_address_is_another_server_in_another_network(learn, monkeypatch, found, same):
    before = learn(found)
    monkeypatch.setattr(os, "readlink", lambda path: "net:[1]")
    assert (learn(found) == before) == same


def test_who_may_not_see_the_number_of_the_cluster_goes_without(learn):
    row = ("10.0.0.5", 5432, "5432", 16384, None)
    found = Server("postgresql", {"pg_control_system": ProgrammingError("permission denied"), "pg_database": [row]})
    assert learn(found) == learn(postgresql(cluster=None)) != ""


def test_within_a_transaction_that_refusal_harms_nothing(db):
    if connection.vendor != "postgresql":
        pytest.skip("it is a matter of PostgreSQL")
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE nobody_at_all; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        cursor.execute("SET ROLE nobody_at_all")
        parts = identity._parts(connection)
        cursor.execute("RESET ROLE")
    assert parts[-1] is None
    assert parts[:-1] == identity._parts(connection)[:-1]


def mariadb(host="db", name="site", **changes: str) -> Server:
    variables = {"hostname": "web1", "port": "3306", "datadir": "/var/lib/mysql/", "socket": "/run/mysqld.sock"}
    return Server("mysql", {"SHOW VARIABLES": list({**variables, **changes}.items()), "DATABASE()": [(name,)]}, host)


@pytest.mark.parametrize(
    "changes",
    [
        {"hostname": "web2"},
        {"port": "3307"},
        {"datadir": "/srv/"},
        {"socket": "/tmp/s"},
        {"server_uuid": "a"},
        {"name": "staging"},
        {"host": "127.0.0.1"},
    ],
)
def test_each_thing_that_differs_makes_another_database_of_mariadb(learn, changes):
    assert learn(mariadb(**changes)) != learn(mariadb()) == learn(mariadb())


@pytest.mark.parametrize(
    "found",
    [
        Server("postgresql", {"pg_database": ProgrammingError("no such function")}),
        Server("oracle", {}),
        Server("sqlite", {"PRAGMA": [(0, "main", "/nonexistent/deleted")]}),
    ],
)
def test_what_does_not_tell_which_database_it_is_stands_for_none(learn, found):
    learn(mariadb())
    assert learn(found) == identity.known() == ""


def test_a_database_that_does_not_answer_is_not_taken_for_one_that_does_not_tell(learn):
    before = learn(mariadb())
    with pytest.raises(OperationalError):
        learn(Server("postgresql", {"pg_database": OperationalError("gone")}))
    assert identity.known() == before


def test_a_database_in_memory_is_one_in_each_process(learn, monkeypatch):
    found = Server("sqlite", {"PRAGMA": [(0, "main", "")]})
    before = learn(found)
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert learn(found) != before
