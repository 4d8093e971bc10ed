from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Is followed by another"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=2)
        internal = True
        trigger_next_jobs = "second"

    def handle(self, *args, **options):
        self.stdout.write("first")
