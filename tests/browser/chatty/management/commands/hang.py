import time
from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Waits for an answer that does not come"

    class ScheduledJob:
        timeout = timedelta(seconds=15)  # a busy machine takes seconds to begin

    def handle(self, *args, **options):
        print("asking the bank", flush=True)
        self.wait_for_the_bank()

    def wait_for_the_bank(self):
        time.sleep(60)
