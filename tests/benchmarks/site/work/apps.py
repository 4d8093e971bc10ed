"""The app with the work that every scheduler is given."""

import os

from django.apps import AppConfig


class WorkConfig(AppConfig):
    """The work."""

    name = "work"

    def ready(self) -> None:
        """Let this process take all others for those of other machines, where the environment asks for it."""
        if os.environ.get("BENCH_APART"):
            from scheduler_bridge import lease

            lease.machine = lambda: f"the machine of {os.getpid()}"
