"""Runner, its holds, those who stand by, and the deployments: what is known about the processes."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import CharColumn, InstantField


class Runner(models.Model):
    """The one row about the runner: who holds the lease, whether it is on hold, and the revision of all changes."""

    ROW: ClassVar = 1

    token = models.CharField(max_length=40, blank=True)
    host = CharColumn(_("host"), max_length=255, blank=True)
    machine = models.CharField(max_length=100, blank=True)  # where the process can be looked for
    pid = models.PositiveIntegerField(_("process"), null=True)
    process_started = models.FloatField(null=True)  # tells a process from a later one with the same pid
    since = InstantField(_("since"), null=True)
    heartbeat_at = InstantField(_("heartbeat"), null=True)
    loop_at = InstantField(_("last turn of the loop"), null=True)
    held = models.BooleanField(_("on hold"), default=False)
    held_reason = CharColumn(_("reason"), max_length=500, blank=True)
    held_by = CharColumn(_("held by"), max_length=150, blank=True)
    held_at = InstantField(_("held since"), null=True)
    held_until = InstantField(_("held until"), null=True)  # when it resumes by itself
    revision = models.BigIntegerField(_("revision"), default=0)
    # What was migrated last; a runner started from other code is out of date.
    code = models.CharField(max_length=64, blank=True)
    # When a migrate last changed the tables: what was loaded before is to be loaded anew.
    migrated_at = InstantField(null=True)

    class Meta:
        verbose_name = _("runner")
        verbose_name_plural = _("runner")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}" if self.token else "-"


class Hold(models.Model):
    """A time in which the runner started nothing; the one that goes on is in the runner's row too."""

    begun_at = InstantField(_("held since"))
    ended_at = InstantField(_("held until"), null=True)
    reason = CharColumn(_("reason"), max_length=500, blank=True)
    by = CharColumn(_("held by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.by or '-'} {self.begun_at}"


class Standby(models.Model):
    """A process that waits to become the runner, and when it was last seen waiting."""

    token = models.CharField(max_length=40, unique=True)
    host = CharColumn(_("host"), max_length=255)
    machine = models.CharField(max_length=100, blank=True)  # whose processes it can see, and end
    pid = models.PositiveIntegerField(_("process"))
    since = InstantField(_("since"))
    seen_at = InstantField(_("last seen"))

    class Meta:
        verbose_name = _("standby")
        verbose_name_plural = _("standbys")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class Deployment(models.Model):
    """A moment at which other code came into force."""

    at = InstantField(_("at"))
    code = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("deployment")
        verbose_name_plural = _("deployments")
        ordering = ("at",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.code[:12]} {self.at}"
