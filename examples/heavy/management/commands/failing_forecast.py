"""Fails each time, on purpose: a failure on another host is recorded and mailed like one of the runner's own."""

from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Forecast the sales (fails on purpose)"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=15)
        queue = "reports"

    def handle(self, *args, **options):
        self.stdout.write("Looking into the future ...")
        raise ValueError("the future is not known (this job fails on purpose)")
