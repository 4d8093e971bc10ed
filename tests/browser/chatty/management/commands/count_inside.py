import os
import time
from pathlib import Path

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Counts inside the runner"

    class ScheduledJob:
        internal = True

    def handle(self, *args, **options):
        for number in range(4):
            self.stdout.write(f"counted to {number}")
        seen, deadline = Path(os.environ["CHATTY_FOLDER"], "seen"), time.monotonic() + 90
        while not seen.exists() and time.monotonic() < deadline:  # until its page was looked at
            time.sleep(0.2)
