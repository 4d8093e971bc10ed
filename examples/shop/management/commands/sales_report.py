"""Twice a day, and whenever somebody presses "run now"; its output is mailed after each success."""

from datetime import time, timedelta

from django.core.management.base import BaseCommand
from django.db.models import Count, Sum
from django.utils import timezone

from shop.models import Order


class Command(BaseCommand):
    help = "Report the sales of the last days"

    class ScheduledJob:
        scheduled_times = [time(9, 30), "18:30"]
        internal = True
        default_notify_on_success = True
        args = ["--days", "30"]

    def add_arguments(self, parser):
        parser.add_argument("--days", type=int, default=1, help="how many days to look back")

    def handle(self, *args, days, **options):
        orders = Order.objects.filter(placed_at__gte=timezone.now() - timedelta(days=days))
        paid = orders.exclude(paid_at=None)
        for title, rows in (("orders", orders), ("of these paid", paid)):
            figures = rows.aggregate(count=Count("pk"), total=Sum("amount"))
            self.stdout.write(f"{title:15}{figures['count']:6}{figures['total'] or 0:12.2f} EUR")
