from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Imports <b>orders</b>"

    class ScheduledJob:
        scheduled_interval = timedelta(minutes=30)

    def handle(self, *args, **options):
        self.stdout.write("done")
