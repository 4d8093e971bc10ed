import os
import time
from pathlib import Path

from django.core.management.base import BaseCommand
from django.db import transaction


class Command(BaseCommand):
    help = "Talks inside the runner, and waits to be heard"

    class ScheduledJob:
        internal = True

    def handle(self, *args, **options):
        print("said at once")
        wait_for("heard")
        with transaction.atomic():
            self.stdout.write("said in a transaction")
            wait_for("heard again")


def wait_for(name: str) -> None:
    deadline = time.monotonic() + 60
    while not Path(os.environ["SITE_FOLDER"], name).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
