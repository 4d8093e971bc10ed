"""Orders and the payments that come in for them."""

from datetime import timedelta

from django.db import models
from django.utils import timezone

PAYMENT_TERM = timedelta(days=14)


class OrderQuerySet(models.QuerySet):
    def unpaid(self):
        return self.filter(paid_at=None)

    def overdue(self):
        """The orders that nobody paid in time and nobody was reminded of."""
        return self.unpaid().filter(reminded_at=None, placed_at__lte=timezone.now() - PAYMENT_TERM)


class Order(models.Model):
    number = models.CharField(max_length=20, unique=True)
    customer = models.EmailField()
    amount = models.DecimalField(max_digits=9, decimal_places=2)
    placed_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ("-placed_at",)

    def __str__(self):
        return self.number


class Payment(models.Model):
    reference = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=9, decimal_places=2)
    received_at = models.DateTimeField()
    order = models.ForeignKey(Order, models.PROTECT, null=True, blank=True, related_name="payments")

    class Meta:
        ordering = ("-received_at",)

    def __str__(self):
        return f"{self.reference}: {self.amount}"
