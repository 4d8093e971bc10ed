"""Job: what a person changed of a scheduled command, and when it fired last."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import CharColumn, InstantField, MomentField, TextColumn, utc_now


class Job(models.Model):
    """A scheduled command: what a person changed of it, and when it fired last."""

    name = models.CharField(_("name"), max_length=191, unique=True)
    app = models.CharField(_("app"), max_length=150)
    command = models.CharField(_("command"), max_length=100)
    description = TextColumn(_("description"), blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    notify_on_success = models.BooleanField(_("mail successful runs too"), default=False)
    override_interval = models.DurationField(_("interval"), null=True, blank=True)
    override_times = models.JSONField(_("times of day"), null=True, blank=True)
    next_run_at = InstantField(_("next run"), null=True, blank=True, editable=False)
    last_run = models.ForeignKey(
        "Run", models.SET_NULL, null=True, blank=True, editable=False, related_name="+", verbose_name=_("last run")
    )
    removed_at = InstantField(_("removed"), null=True, blank=True, editable=False)
    created_at = InstantField(_("created"), default=utc_now, editable=False)
    # Why it cannot be run or timed, as it was reported: its job stays and fails loudly.
    broken = TextColumn(_("error"), blank=True, editable=False)
    # Why its trigger cannot be asked for fire times, under the schedule that this row knows; empty: it can.
    trigger_error = CharColumn(max_length=500, blank=True, default="", editable=False)
    # The code of a trigger that gave no answer in time: as long as it is the same, nobody asks it again.
    set_aside = models.CharField(max_length=64, blank=True, default="", editable=False)
    # What code and settings said at the last look: a person's choice is a value that differs from it.
    enabled_default = models.BooleanField(default=True, editable=False)
    notify_default = models.BooleanField(default=False, editable=False)
    changed_by = CharColumn(_("changed by"), max_length=150, blank=True, editable=False)
    changed_at = InstantField(_("changed"), null=True, blank=True, editable=False)
    # What a person said of the switch and of the override, and when each returns to what it was by itself.
    disabled_reason = CharColumn(_("why it is disabled"), max_length=500, blank=True)
    disabled_until = InstantField(_("disabled until"), null=True, blank=True)
    # The queue a person chose: NULL as code and settings say, empty: in the runner itself.
    override_queue = models.CharField(_("queue"), max_length=100, null=True, blank=True)
    override_reason = CharColumn(_("why it is timed otherwise"), max_length=500, blank=True)
    override_until = InstantField(_("timed otherwise until"), null=True, blank=True)
    # The one fire time that a person wants left out.
    skip_next_at = MomentField(null=True, blank=True, editable=False)
    skip_next_by = CharColumn(max_length=150, blank=True, editable=False)
    # When the first failure in a row was recorded; empty after a success, and when a person has dealt with it.
    failing_since = InstantField(_("failing since"), null=True, blank=True, editable=False)
    # The schedule these two belong to; another one starts to count from the change.
    schedule_key = models.TextField(blank=True, editable=False)
    # Fire times after this moment are owed a run; so many before it too, while ``next_run_at`` is not later than it.
    owed_since = MomentField(default=utc_now, editable=False)
    owed_before = models.PositiveIntegerField(default=0, editable=False)
    # The last fire time that a run covers: the anchor of intervals.
    last_fire_at = MomentField(null=True, blank=True, editable=False)
    # The one run of this job that is handed over to an engine and has not ended; while there is one, no other starts.
    handed_run_id = models.BigIntegerField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("name",)
        default_permissions = ("change", "view")
        permissions = (("run_job", _("Can run a job by hand")), ("hold_runner", _("Can hold and resume the runner")))

    # Written with statements of their own: a row that was read a moment ago and is saved must not take them back.
    RUNNERS_OWN: ClassVar = {
        "broken",
        "trigger_error",
        "set_aside",
        "next_run_at",
        "last_run",
        "schedule_key",
        "owed_since",
        "owed_before",
        "last_fire_at",
        "failing_since",
        "skip_next_at",
        "skip_next_by",
        "handed_run_id",
    }

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save what people and code may change; a new row is saved as a whole."""
        if update_fields is None and not self._state.adding:
            fields = (field.name for field in self._meta.concrete_fields if not field.primary_key)
            update_fields = [name for name in fields if name not in self.RUNNERS_OWN]
        super().save(*args, update_fields=update_fields, **options)

    @property
    def broken_line(self) -> str:
        """Why it is broken, in one line: the last one of a traceback; empty where it is not."""
        lines = self.broken.strip().splitlines()
        return lines[-1] if lines else ""
