"""Hangs each time, on purpose: shows what a timeout ends and what it keeps."""

import subprocess
from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Fetch the exchange rates (hangs on purpose)"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=25)
        timeout = timedelta(seconds=3)

    def handle(self, *args, **options):
        self.stdout.write("Asking the bank for its rates ...")
        # A child that would outlive a runner that ends only the process it started itself.
        subprocess.run(["sleep", "600"], check=True)
