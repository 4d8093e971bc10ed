"""A job that prints very much."""

import os
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from work import trace
from work.pour import pour


class Command(BaseCommand):
    """Prints as many bytes as the environment says."""

    help = "Prints very much"

    class ScheduledJob:
        internal = False
        timeout = timedelta(minutes=10)

    def handle(self, *args: Any, **options: Any) -> None:
        trace.note("first")
        pour(int(os.environ.get("BENCH_POUR", "0")))
        trace.note("last")
