import os
import signal
import sys

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Ends in a way that is asked for"

    def add_arguments(self, parser):
        parser.add_argument("way")

    def handle(self, *args, way, **options):
        print("before", flush=True)
        match way:
            case "return":
                return
            case "none":
                sys.exit()
            case "true":
                sys.exit(True)
            case "text":
                sys.exit("a text")
            case "command":
                raise CommandError("no such order", returncode=9)
            case "error":
                raise ValueError("broken")
            case "interrupt":
                raise KeyboardInterrupt
            case "segv":
                os.kill(os.getpid(), signal.SIGSEGV)
            case number:
                sys.exit(int(number))
