"""The same as a job in a process of its own."""

from work.management.commands import noop


class Command(noop.Command):
    """Does nothing, in a process of its own."""

    class ScheduledJob:
        internal = False
