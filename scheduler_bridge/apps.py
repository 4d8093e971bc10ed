"""The Django app: connects post_migrate, change signals and checks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SchedulerBridgeConfig(AppConfig):
    """scheduler_bridge as an installed app."""

    name = "scheduler_bridge"
    verbose_name = _("Scheduler")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models can be imported only now.
        from . import checks, receivers

        checks.register_checks()
        receivers.connect(self)
