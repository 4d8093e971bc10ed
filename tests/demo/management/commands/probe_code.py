from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Runs the code it is given"

    def add_arguments(self, parser):
        parser.add_argument("code")

    def handle(self, *args, code, **options):
        exec(compile(code, "<probe>", "exec"), {"__name__": "probe"})
