"""Does nothing, and is no job: what every scheduler is given as work."""

from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Does nothing."""

    help = "Does nothing"

    def handle(self, *args: Any, **options: Any) -> None:
        """Do nothing."""
