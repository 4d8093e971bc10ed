"""Forks a process that has loaded the project: ``N``; the child ends at once, or runs the no-op command."""

import os
import sys

from . import answer, milliseconds, setup_as_command


def fork(command: str | None) -> None:
    """Fork once and reap the child."""
    pid = os.fork()
    if not pid:
        if command:
            from django.core.management import call_command

            call_command(command)
        os._exit(0)
    os.waitpid(pid, 0)


def main() -> None:
    setup_as_command()
    number = int(sys.argv[1])
    answer({"bare": milliseconds(lambda: fork(None), number), "noop": milliseconds(lambda: fork("noop"), number)})


main()
