import time
from datetime import timedelta

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Says a line each 0.3 s, with the time at which it does"

    class ScheduledJob:
        timeout = timedelta(minutes=5)

    def add_arguments(self, parser):
        parser.add_argument("--lines", type=int, default=600)

    def handle(self, *args, lines, **options):
        for number in range(lines):
            colour = 31 + number % 6
            print(f"\x1b[{colour}mline {number}\x1b[0m said at {time.time():.3f} <b>&", flush=True)
            time.sleep(0.3)
