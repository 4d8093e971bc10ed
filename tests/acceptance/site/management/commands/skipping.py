from datetime import timedelta

from django.core.management.base import BaseCommand

from scheduler_bridge.exceptions import SkipRun


class Command(BaseCommand):
    help = "Has nothing to do"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=1)

        @staticmethod
        def should_run():
            raise SkipRun("no orders")

    def handle(self, *args, **options):
        raise AssertionError
