"""Asked every fifteen seconds, and mostly it has nothing to do; the history says so in one row."""

from datetime import timedelta

from django.core.mail import send_mail
from django.core.management.base import BaseCommand
from django.utils import timezone

from scheduler_bridge.exceptions import SkipRun
from shop.models import Order


class Command(BaseCommand):
    help = "Remind the customers whose payment is overdue"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=15)
        internal = True

        @staticmethod
        def should_run():
            if not Order.objects.overdue().exists():
                raise SkipRun("no payment is overdue")
            return True

    def handle(self, *args, **options):
        for order in Order.objects.overdue():
            text = f"Your order {order.number} of {order.amount} EUR is not paid yet."
            send_mail(f"Reminder: order {order.number}", text, None, [order.customer])
            order.reminded_at = timezone.now()
            order.save(update_fields=["reminded_at"])
            self.stdout.write(f"Reminded {order.customer} of {order.number}.")
