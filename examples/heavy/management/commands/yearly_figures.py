"""Takes its time, so workers on other hosts do it; what it prints is seen in the admin while it goes on."""

import socket
import time
from datetime import timedelta

from django.core.management.base import BaseCommand
from django.db.models import Sum

from shop.models import Order


class Command(BaseCommand):
    help = "Work out the figures of the year, quarter by quarter"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=10)
        timeout = timedelta(minutes=1)
        queue = "reports"
        trigger_next_jobs = "heavy.publish_figures"

    def handle(self, *args, **options):
        self.stdout.write(f"This is {socket.gethostname()}.")
        for quarter in range(1, 5):
            time.sleep(1)
            total = Order.objects.filter(placed_at__quarter=quarter).aggregate(total=Sum("amount"))["total"]
            self.stdout.write(f"quarter {quarter}: {total or 0:12.2f} EUR")
