from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Is no job"

    def handle(self, *args, **options):
        self.stdout.write("done")
