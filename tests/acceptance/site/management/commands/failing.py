from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Fails"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=2)
        internal = True

    def handle(self, *args, **options):
        raise ValueError("the till is short")
