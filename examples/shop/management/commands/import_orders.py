"""Every ten seconds, in a process of its own; the payments are matched after each import."""

from datetime import timedelta

from django.core.management.base import BaseCommand
from django.db import transaction

from scheduler_bridge.exceptions import SkipRun
from shop import order_files
from shop.models import Order


class Command(BaseCommand):
    help = "Read the oldest order file in the inbox"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=10)
        timeout = timedelta(minutes=1)
        trigger_next_jobs = "shop.match_payments"

        @staticmethod
        def should_run():
            if not order_files.waiting():
                raise SkipRun("no order file in the inbox")
            return True

    def handle(self, *args, **options):
        files = order_files.waiting()
        if not files:
            self.stdout.write("No order file in the inbox.")
            return
        orders = order_files.read(files[0])
        with transaction.atomic():
            for order in orders:
                Order.objects.update_or_create(number=order.pop("number"), defaults=order)
        order_files.set_aside(files[0])
        self.stdout.write(f"{files[0].name}: {len(orders)} orders read, {len(files) - 1} files left.")
