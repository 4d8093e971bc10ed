import logging
import sys
import threading

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Speaks in every way there is"

    def handle(self, *args, **options):
        self.stdout.write("by self.stdout")
        self.stderr.write("by self.stderr")
        print("by print")
        print("by sys.stderr", file=sys.stderr)
        logging.getLogger("probe").warning("by logging")
        thread = threading.Thread(target=print, args=("by a thread",))
        thread.start()
        thread.join()
