import os
import subprocess
import time
from datetime import timedelta

from django.core.management.base import BaseCommand

from tests.acceptance.site import trace


class Command(BaseCommand):
    help = "Takes long in a process of its own, which starts others that try to escape"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=1)

    def handle(self, *args, **options):
        subprocess.Popen(["sh", "-c", "setsid sleep 61 & sleep 62"])
        self.stdout.write("begins")
        trace.write("outside begins")
        time.sleep(float(os.environ.get("SITE_LASTS", "60")))
