"""SQL written by hand for what every run needs; the ORM would build each of these statements anew at every run.

Names of tables and columns come from the models, values pass through their fields. PostgreSQL does in one statement
what needs several elsewhere: there each statement is a journey to the server and back.
"""

import threading
from collections.abc import Iterable, Mapping
from functools import cache
from types import NoneType
from typing import Any, Final, Generic, TypeVar

from django.db import connections, models

# What every column takes as it is; none of ours is JSON. A text is for its field to make storable.
PLAIN: Final = {int, NoneType}
M = TypeVar("M", bound=models.Model)
_here = threading.local()


class Table:
    """A model's table and columns as one database wants them written."""

    def __init__(self, model: type[models.Model], using: str) -> None:
        connection = connections[using]
        self._using = using
        self._fields = {field.attname: field for field in model._meta.concrete_fields}
        self._quoted = {name: connection.ops.quote_name(str(field.column)) for name, field in self._fields.items()}
        self._name = connection.ops.quote_name(model._meta.db_table)

    def __str__(self) -> str:
        return self._name

    def __getitem__(self, attribute: str) -> str:
        return self._quoted[attribute]

    def names(self, attributes: Iterable[str]) -> str:
        """Give these columns as a list."""
        return ", ".join(self._quoted[name] for name in attributes)

    def values(self, values: Mapping[str, Any]) -> list[Any]:
        """Give values as the database takes them, in this order."""
        connection, fields = connections[self._using], self._fields
        return [
            value if type(value) in PLAIN else fields[name].get_db_prep_save(value, connection)
            for name, value in values.items()
        ]

    def defaults(self) -> dict[str, Any]:
        """Give what a new row has in each column, but for its key."""
        return {name: field.get_default() for name, field in self._fields.items() if not field.primary_key}


@cache
def table(model: type[models.Model], using: str) -> Table:
    """Give the table of this model."""
    return Table(model, using)


class Reader(Generic[M]):
    """Makes objects of a model from rows with all its columns; belongs to one thread, as its connection does."""

    def __init__(self, model: type[M], using: str) -> None:
        connection = connections[using]
        self._model, self._using = model, using
        fields = model._meta.concrete_fields
        self.names = [field.attname for field in fields]
        columns = [field.get_col(model._meta.db_table) for field in fields]
        self._converters = [
            (place, column, found)
            for place, column in enumerate(columns)
            if (found := [*connection.ops.get_db_converters(column), *column.get_db_converters(connection)])
        ]

    def read(self, row: Iterable[Any]) -> M:
        """Make the object of this row."""
        connection, values = connections[self._using], list(row)
        for place, column, found in self._converters:
            for convert in found:
                values[place] = convert(values[place], column, connection)
        return self._model.from_db(self._using, self.names, values)


def reader(model: type[M], using: str) -> Reader[M]:
    """Give the reader of this thread."""
    known: dict[tuple[type[models.Model], str], Any] = _here.__dict__.setdefault("readers", {})
    if (model, using) not in known:
        known[model, using] = Reader(model, using)
    found: Reader[M] = known[model, using]
    return found


def fetch(using: str, statement: str, values: Iterable[Any]) -> tuple[Any, ...] | None:
    """Execute, and give the first row."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, list(values))
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def change(using: str, statement: str, values: Iterable[Any]) -> int:
    """Execute, and give the number of rows that it met."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, list(values))
        return int(cursor.rowcount)


def set_forward(model: type[models.Model], using: str) -> int | None:
    """Let the next row's number follow that of the last one; None where it does already (PostgreSQL: sequences)."""
    if connections[using].vendor != "postgresql":
        return None
    rows, key = table(model, using), str(model._meta.pk and model._meta.pk.column)
    sequence = (fetch(using, "SELECT pg_get_serial_sequence(%s, %s)", [str(rows), key]) or (None,))[0]
    last = (fetch(using, f"SELECT max({connections[using].ops.quote_name(key)}) FROM {rows}", []) or (None,))[0]
    if sequence is None or last is None:
        return None
    number, is_given = fetch(using, f"SELECT last_value, is_called FROM {sequence}", []) or (last, True)
    if number + is_given > last:
        return None
    fetch(using, "SELECT setval(%s, %s)", [sequence, last])
    return int(last)


def is_one_journey(using: str) -> bool:
    """Tell whether a statement may consist of several that change rows (PostgreSQL: WITH ... UPDATE)."""
    return connections[using].vendor == "postgresql"


def greatest(using: str) -> str:
    """Give the name of the function that gives the largest of its values."""
    return "MAX" if connections[using].vendor == "sqlite" else "GREATEST"
