import os
from datetime import timedelta

from django.core.management.base import BaseCommand

if os.environ.get("SITE_BROKEN"):
    import no_such_module  # noqa: F401


class Command(BaseCommand):
    help = "Cannot be imported once the site is broken"

    class ScheduledJob:
        scheduled_interval = timedelta(seconds=1)

    def handle(self, *args, **options):
        self.stdout.write("whole")
