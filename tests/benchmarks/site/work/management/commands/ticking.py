"""A job of every second, where the environment asks for it, that writes down when it starts."""

import os
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from work import tasks


class Command(BaseCommand):
    """Writes down when it starts."""

    help = "Writes down when it starts"

    class ScheduledJob:
        internal = os.environ.get("BENCH_TICK") != "outside"
        if os.environ.get("BENCH_TICK"):
            scheduled_interval = timedelta(seconds=1)

    def handle(self, *args: Any, **options: Any) -> None:
        tasks.tick()
