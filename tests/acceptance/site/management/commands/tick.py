from datetime import timedelta

from django.core.management.base import BaseCommand

from tests.acceptance.site import trace


class Command(BaseCommand):
    help = "Runs every second inside the runner"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=1)
        internal = True

    def handle(self, *args, **options):
        trace.write("tick")
        self.stdout.write("tick")
