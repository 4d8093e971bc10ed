"""The Django app: connects signals and checks, and lets a process of a run be asked for its stack."""

import os

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from .execution import stack


class SchedulerBridgeConfig(AppConfig):
    """scheduler_bridge as an installed app."""

    name = "scheduler_bridge"
    verbose_name = _("Scheduler")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models can be imported only now, and an engine's worker knows the tasks that are imported.
        from . import checks, receivers  # the last for its own sake

        stack.listen_in_a_run(os.environ)
        checks.register_checks()
        receivers.connect(self)
