import time
from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Hangs"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=2)
        timeout = timedelta(seconds=5)  # long enough to say something on a busy machine

    def handle(self, *args, **options):
        self.stdout.write("waiting for an answer")
        time.sleep(60)
