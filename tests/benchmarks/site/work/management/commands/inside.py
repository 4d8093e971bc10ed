"""The same as a job in the runner's process."""

from work.management.commands import noop


class Command(noop.Command):
    """Does nothing, in the runner's process."""

    class ScheduledJob:
        internal = True
