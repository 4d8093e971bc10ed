"""What a session is like that somebody was given."""

from django.db import connection

LOOK = """
SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('search_path'),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
"""


def line() -> str:
    """Return its settings and the locks that it holds."""
    with connection.cursor() as cursor:
        cursor.execute(LOOK)
        return " ".join(str(value) for value in cursor.fetchone())
