"""A job that is asked and says no."""

from work.management.commands import noop


class Command(noop.Command):
    """Is never run."""

    class ScheduledJob:
        internal = True

        @staticmethod
        def should_run() -> bool:
            return False
