import time
from datetime import timedelta

from django.core.management.base import BaseCommand

from tests.acceptance.site import trace


class Command(BaseCommand):
    help = "Takes long inside the runner"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=1)
        internal = True

    def handle(self, *args, **options):
        trace.write("inside begins")
        time.sleep(5)
        trace.write("inside ends")
