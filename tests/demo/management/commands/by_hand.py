from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Runs by hand only"

    class ScheduledJob:
        pass

    def handle(self, *args, **options):
        self.stdout.write("done")
