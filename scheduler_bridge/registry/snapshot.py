"""Rows as the database gives them, to be compared and nothing else."""

from collections.abc import Sequence
from typing import Any

from django.db import connections
from django.db.models import QuerySet

from ..models import Job

Row = tuple[Any, ...]


def read(rows: QuerySet[Job], columns: Sequence[str]) -> dict[int, Row]:
    """Give these columns of each row, by its id.

    No value is converted: making Python values of ten thousand rows would cost more than all else.
    """
    query = rows.order_by().values_list("pk", *columns).query
    connection = connections[rows.db]
    sql, values = query.get_compiler(connection=connection).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return {row[0]: row for row in cursor.fetchall()}
