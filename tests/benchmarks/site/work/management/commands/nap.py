"""Takes 200 ms and is no job: work that waits for something, such as another host."""

import time
from typing import Any

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Takes 200 ms."""

    help = "Takes 200 ms"

    def handle(self, *args: Any, **options: Any) -> None:
        """Wait."""
        time.sleep(0.2)
