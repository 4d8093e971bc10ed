from django.core.management.base import BaseCommand
from django.db import connection

from tests.acceptance.site import seen


class Command(BaseCommand):
    help = "Changes the session that it was given"

    class ScheduledJob:
        internal = True

    def handle(self, *args, **options):
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 77777")
            cursor.execute("SET search_path = pg_catalog, public")
            cursor.execute("SELECT pg_advisory_lock(42)")
        self.stdout.write(seen.line())
