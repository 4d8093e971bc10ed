"""A process that has loaded the project and does nothing more."""

import time

from . import setup_as_command

setup_as_command()
while True:
    time.sleep(60)
