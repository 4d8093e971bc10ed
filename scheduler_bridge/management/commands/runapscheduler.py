"""``manage.py runapscheduler``: the runner."""

import logging
import sys
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext_lazy as _

from scheduler_bridge.checks import triggers_left_alone
from scheduler_bridge.execution import preload
from scheduler_bridge.fence import leave_soon
from scheduler_bridge.runner import RunnerProcess


class Command(BaseCommand):
    """Runs all scheduled jobs, one at a time, until it is stopped."""

    help = str(_("Runs the scheduled jobs, one at a time; made for a systemd service."))

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help=str(_("run what is due now and exit")))
        # How a runner starts the process that loads the project for its jobs: socket, time, way, and room for names.
        parser.add_argument("--launcher", nargs=4, help=SUPPRESS)

    def check(self, *args: Any, **options: Any) -> None:
        """Do the checks of the project without asking a trigger: the runner does so, but for one that is set aside."""
        with triggers_left_alone():
            super().check(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["launcher"]:
            descriptor, started, way, _room = options["launcher"]
            preload.main(int(descriptor), float(started), way)
            return
        _log_to_console(options["verbosity"])
        runner = RunnerProcess(once=options["once"])
        code = runner.main()
        if vars(self).get("_called_from_command_line"):  # else the process is not ours to end
            leave_soon(code)
        if code:
            sys.exit(code)


def _log_to_console(verbosity: int) -> None:
    """Show the runner's lines where the project's own logging shows none of them."""
    logger = logging.getLogger("scheduler_bridge")
    if logger.hasHandlers() and logger.isEnabledFor(logging.INFO):
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbosity < 2 else logging.DEBUG)
    logger.propagate = False
