"""The second of two jobs in a chain."""

from typing import Any

from django.core.management.base import BaseCommand

from work import tasks


class Command(BaseCommand):
    """Writes down when it starts."""

    help = "Writes down when it starts"

    class ScheduledJob:
        internal = True

    def handle(self, *args: Any, **options: Any) -> None:
        tasks.tail()
