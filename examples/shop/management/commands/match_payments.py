"""No time of its own: runs after each import, in the runner's process."""

from django.core.management.base import BaseCommand
from django.db import transaction

from shop.models import Order, Payment


class Command(BaseCommand):
    help = "Match the payments received with the orders they are for"

    class ScheduledJob:
        internal = True

    def handle(self, *args, **options):
        matched = 0
        for payment in Payment.objects.filter(order=None).order_by("received_at"):
            order = Order.objects.unpaid().filter(number=payment.reference, amount=payment.amount).first()
            if order:
                self.match(payment, order)
                matched += 1
        waiting = Payment.objects.filter(order=None).count()
        self.stdout.write(f"{matched} payments matched, {waiting} still without an order.")

    @transaction.atomic
    def match(self, payment, order):
        payment.order = order
        payment.save(update_fields=["order"])
        order.paid_at = payment.received_at
        order.save(update_fields=["paid_at"])
        self.stdout.write(f"{order.number} is paid: {payment.amount}")
