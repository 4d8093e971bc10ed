"""Orders and payments in the admin."""

from django.contrib import admin

from .models import Order, Payment


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ("number", "customer", "amount", "placed_at", "paid_at", "reminded_at")
    search_fields = ("number", "customer")


@admin.register(Payment)
class PaymentAdmin(admin.ModelAdmin):
    list_display = ("reference", "amount", "received_at", "order")
