"""Asks for one run of a job and gives its number: ``NAME``."""

import sys

from . import answer, setup


def main() -> None:
    setup()
    from scheduler_bridge import api

    answer(api.run_now(sys.argv[1]).pk)


main()
