import decimal
import logging
import os
import signal
import socket
import sys
import tempfile
import warnings

from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.utils import timezone, translation


class Command(BaseCommand):
    help = "Leaves something behind"

    def add_arguments(self, parser):
        parser.add_argument("what")

    def handle(self, *args, what, **options):
        getattr(self, f"leave_{what}")()

    def leave_directory(self):
        os.chdir("/")

    def leave_environment(self):
        os.environ["LEFT_BEHIND"] = "1"

    def leave_umask(self):
        os.umask(0o077)

    def leave_argv(self):
        sys.argv = ["spoiled"]

    def leave_path(self):
        sys.path.insert(0, "/spoiled")

    def leave_descriptor(self):
        os.close(1)

    def leave_stdout(self):
        sys.stdout = None

    def leave_filters(self):
        warnings.simplefilter("ignore")

    def leave_logging(self):
        logging.disable(logging.CRITICAL)

    def leave_silence(self):
        logging.getLogger("scheduler_bridge").disabled = True

    def leave_level(self):
        logging.getLogger("scheduler_bridge").setLevel(logging.CRITICAL)

    def leave_alarm(self):
        signal.setitimer(signal.ITIMER_VIRTUAL, 3600)

    def leave_nowhere(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)

    def leave_language(self):
        translation.activate("fr")

    def leave_zone(self):
        timezone.activate("Asia/Tokyo")

    def leave_decimal(self):
        decimal.getcontext().prec = 3

    def leave_recursion(self):
        sys.setrecursionlimit(sys.getrecursionlimit() + 10)

    def leave_timeout(self):
        socket.setdefaulttimeout(5)

    def leave_autocommit(self):
        connection.ensure_connection()
        transaction.set_autocommit(False)

    def leave_atomic(self):
        transaction.atomic().__enter__()

    def leave_broken(self):
        connection.ensure_connection()
        connection.connection.close()

    def leave_wrapper(self):
        connection.ensure_connection()
        connection.execute_wrappers.append(lambda *args: 1 / 0)
