import threading
import time

from django.core.management.base import BaseCommand
from django.db import connection

from tests.acceptance.site import seen


class Command(BaseCommand):
    help = "Says which sessions it is given, its threads at the same time too"

    class ScheduledJob:
        internal = True

    def handle(self, *args, **options):
        self.stdout.write(seen.line())
        together = threading.Barrier(4)
        threads = [threading.Thread(target=self.look, args=[together]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def look(self, together):
        begun = time.monotonic()
        line = seen.line()
        seconds = time.monotonic() - begun
        together.wait(60)  # so that each needs a connection of its own
        connection.close()
        self.stdout.write(f"{line} {'at once' if seconds < 5 else 'late'}")
