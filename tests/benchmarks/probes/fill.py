"""Fills the history with SQL: runs of all jobs, the first few thousand of them old: ``SIZE``.

The columns are taken from the model, so that a new one needs no change here: it gets its default.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from . import answer, setup

OLD = 5_000  # runs older than any age at which the history is pruned
OUTPUT = "fetched an invoice of a customer and matched it with a payment of the bank\n" * 3
SERIES = {
    "postgresql": "SELECT n FROM generate_series({first}, {last}) AS series(n)",
    "sqlite": "WITH RECURSIVE series(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM series WHERE n < {last}) "
    "SELECT n FROM series",
}


def main() -> None:
    setup()
    before = time.perf_counter()
    fill(int(sys.argv[1]))
    answer(time.perf_counter() - before)


def fill(size: int) -> None:
    now = datetime.now(UTC)
    old = min(OLD, size // 2)
    insert(1, old, now - timedelta(days=400))
    insert(old + 1, size, now - timedelta(hours=1))
    execute("ANALYZE", [])


def insert(first: int, last: int, moment: datetime) -> None:
    """Insert the runs with these numbers, which ended at this moment."""
    from django.db import connection

    from scheduler_bridge.models import Run

    numbers = SERIES[connection.vendor].format(first=first, last=last)
    given = {field.column: expression(field, moment) for field in Run._meta.concrete_fields if not field.primary_key}
    selected = ", ".join(sql for sql, _ in given.values())
    parameters = [value for _, values in given.values() for value in values]
    into = f"INSERT INTO {Run._meta.db_table} ({', '.join(given)})"
    execute(f"{into} SELECT {selected} FROM ({numbers}) AS numbers", parameters)


def expression(field: Any, moment: datetime) -> tuple[str, list[Any]]:
    """Give what a column is filled with; ``n`` is the number of the run."""
    from django.db import connection

    if field.name == "job":
        return job_of_number()
    if field.name == "status":
        return "CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'succeeded' END", []
    values = {"cause": "schedule", "scheduled_for": moment, "started_at": moment, "finished_at": moment}
    values |= {"exit_code": 0, "output": OUTPUT, "host": "host", "claim_key": None}
    value = field.get_db_prep_save(values.get(field.name, field.get_default()), connection)
    # PostgreSQL takes a bare parameter in a SELECT for a text; SQLite's CAST would make a number of a moment.
    return f"CAST(%s AS {field.db_type(connection)})" if connection.vendor == "postgresql" else "%s", [value]


def job_of_number() -> tuple[str, list[Any]]:
    """Spread the runs over all jobs, whatever the numbers of those are."""
    from scheduler_bridge.models import Job

    jobs = list(Job.objects.order_by("pk").values_list("pk", flat=True))
    cases = " ".join(f"WHEN {place} THEN {pk}" for place, pk in enumerate(jobs))
    return f"CASE n %% {len(jobs)} {cases} END", []


def execute(sql: str, parameters: list[Any]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


main()
