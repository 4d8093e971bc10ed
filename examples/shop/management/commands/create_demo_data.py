"""No job: a command without a ScheduledJob class, listed by ``scheduledjobs unscheduled``."""

import csv
import json
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.utils import timezone

from shop.models import PAYMENT_TERM, Payment
from shop.order_files import COLUMNS

FILES = 6
ORDERS_PER_FILE = 4


class Command(BaseCommand):
    help = "Create an admin user (admin, admin), payments, and order files in the inbox"

    def handle(self, *args, **options):
        users = get_user_model().objects
        if not users.filter(username="admin").exists():
            users.create_superuser("admin", "admin@example.com", "admin")
        if Payment.objects.exists():
            self.stdout.write("The demo data is there already.")
            return
        batches = [[self.order(batch, item) for item in range(ORDERS_PER_FILE)] for batch in range(FILES)]
        for batch in batches:
            Payment.objects.create(reference=batch[0]["number"], amount=batch[0]["amount"], received_at=timezone.now())
        self.write(batches)
        self.stdout.write(f"{FILES} order files in {settings.INBOX_DIR}, user admin with password admin.")

    def order(self, batch, item):
        age = timedelta(days=batch + item, hours=item)
        if batch == 0 and item == 1:
            # This one's payment falls due while somebody watches: the reminder is sent after many skips.
            age = PAYMENT_TERM - timedelta(seconds=40)
        return {
            "number": f"A{1000 + batch * 10 + item}",
            "customer": f"customer{batch}{item}@example.com",
            "amount": f"{19 + 7 * batch + 3 * item}.90",
            "placed_at": (timezone.now() - age).isoformat(),
        }

    def write(self, batches):
        settings.INBOX_DIR.mkdir(parents=True, exist_ok=True)
        for number, orders in enumerate(batches, 1):
            if number % 2:
                text = json.dumps(orders, indent=2)
                (settings.INBOX_DIR / f"orders-{number:03}.json").write_text(text, encoding="utf-8")
                continue
            path = settings.INBOX_DIR / f"orders-{number:03}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                writer.writeheader()
                writer.writerows(orders)
