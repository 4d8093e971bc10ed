import time

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Counts inside the runner"

    class ScheduledJob:
        internal = True

    def handle(self, *args, **options):
        for number in range(4):
            self.stdout.write(f"counted to {number}")
            time.sleep(1)
