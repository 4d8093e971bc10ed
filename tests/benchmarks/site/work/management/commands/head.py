"""The first of two jobs in a chain."""

from typing import Any

from django.core.management.base import BaseCommand

from work import tasks


class Command(BaseCommand):
    """Writes down when it ends."""

    help = "Writes down when it ends"

    class ScheduledJob:
        internal = True
        trigger_next_jobs = "work.tail"

    def handle(self, *args: Any, **options: Any) -> None:
        tasks.head()
