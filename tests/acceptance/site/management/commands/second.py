from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Follows another"

    class ScheduledJob:
        args = ["--word", "from the arguments"]

    def add_arguments(self, parser):
        parser.add_argument("--word", default="nothing")

    def handle(self, *args, word, **options):
        print(word)
