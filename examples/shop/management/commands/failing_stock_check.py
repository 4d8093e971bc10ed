"""Fails each time, on purpose: shows what a failed run looks like in the history and in the mail."""

from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Compare the stock with the warehouse (fails on purpose)"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=20)
        internal = True

    def handle(self, *args, **options):
        self.stdout.write("Asking the warehouse for its list ...")
        raise ConnectionError("the warehouse does not answer (this job fails on purpose)")
