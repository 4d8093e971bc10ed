"""Job, Run and Runner: the rows and the questions asked of them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings as django_settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def utc_now() -> datetime:
    """Give this moment as an aware datetime, whatever ``USE_TZ`` says."""
    return datetime.now(UTC)


class InstantField(models.DateTimeField):
    """A moment that is always an aware datetime in Python, whatever ``USE_TZ`` says.

    With ``USE_TZ = False`` the column holds local time, as all columns of such a project do.
    """

    def from_db_value(self, value: datetime | None, *args: object) -> datetime | None:
        if value is None or timezone.is_aware(value):
            return value
        return timezone.make_aware(value, timezone.get_default_timezone()).astimezone(UTC)

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        if isinstance(value, datetime) and timezone.is_aware(value) and not django_settings.USE_TZ:
            return timezone.make_naive(value, timezone.get_default_timezone())
        return value


class MomentField(models.BigIntegerField):
    """A moment kept as microseconds since 1970 in UTC: exact in a repeated local hour too."""

    EPOCH: ClassVar = datetime(1970, 1, 1, tzinfo=UTC)

    def from_db_value(self, value: int | None, *args: object) -> datetime | None:
        return None if value is None else self.EPOCH + timedelta(microseconds=value)

    def to_python(self, value: Any) -> Any:
        return value if isinstance(value, datetime) else super().to_python(value)

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            value = (value - self.EPOCH) // timedelta(microseconds=1)
        return super().get_prep_value(value)


class NarrowIndex(models.Index):
    """An index of some rows only, where the database knows that; of all rows elsewhere."""

    def __init__(self, *expressions: Any, only: models.Q, **options: Any) -> None:
        super().__init__(*expressions, **options)
        self.only = only

    def create_sql(self, model: type[models.Model], schema_editor: Any, using: str = "", **options: Any) -> Any:
        can_be_narrow = schema_editor.connection.features.supports_partial_indexes
        index = models.Index(fields=self.fields, name=self.name, condition=self.only if can_be_narrow else None)
        return index.create_sql(model, schema_editor, using, **options)

    def deconstruct(self) -> Any:
        path, expressions, options = super().deconstruct()
        return path, expressions, {**options, "only": self.only}


class Job(models.Model):
    """A scheduled command: what a person changed of it, and when it fired last."""

    name = models.CharField(_("name"), max_length=191, unique=True)
    app = models.CharField(_("app"), max_length=150)
    command = models.CharField(_("command"), max_length=100)
    description = models.TextField(_("description"), blank=True)
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
    # Why the command cannot be loaded; its job stays and fails loudly.
    broken = models.TextField(_("error"), blank=True, editable=False)
    # What code and settings said at the last look: a person's choice is a value that differs from it.
    enabled_default = models.BooleanField(default=True, editable=False)
    notify_default = models.BooleanField(default=False, editable=False)
    changed_by = models.CharField(_("changed by"), max_length=150, blank=True, editable=False)
    changed_at = InstantField(_("changed"), null=True, blank=True, editable=False)
    # The schedule these two belong to; another one starts to count from the change.
    schedule_key = models.TextField(blank=True, editable=False)
    # Fire times after this moment are owed a run; so many before it too, while ``next_run_at`` is not later than it.
    owed_since = MomentField(default=utc_now, editable=False)
    owed_before = models.PositiveIntegerField(default=0, editable=False)
    # The last fire time that a run covers: the anchor of intervals.
    last_fire_at = MomentField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ("name",)
        default_permissions = ("change", "view")
        permissions = (("run_job", _("Can run a job by hand")), ("hold_runner", _("Can hold and resume the runner")))

    # Written with statements of their own: a row that was read a moment ago and is saved must not take them back.
    RUNNERS_OWN: ClassVar = {"next_run_at", "last_run", "schedule_key", "owed_since", "owed_before", "last_fire_at"}

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save what people and code may change; a new row is saved as a whole."""
        if update_fields is None and not self._state.adding:
            fields = (field.name for field in self._meta.concrete_fields if not field.primary_key)
            update_fields = [name for name in fields if name not in self.RUNNERS_OWN]
        super().save(*args, update_fields=update_fields, **options)


class Status(models.TextChoices):
    """What became of a run."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    TIMED_OUT = "timed_out", _("timed out")
    SKIPPED = "skipped", _("skipped")
    CANCELLED = "cancelled", _("cancelled")
    ABANDONED = "abandoned", _("abandoned")


class Cause(models.TextChoices):
    """Why a run happened."""

    SCHEDULE = "schedule", _("schedule")
    MANUAL = "manual", _("by hand")
    CHAIN = "chain", _("after another job")


class Report(models.TextChoices):
    """Where the mail about a run stands; empty when none is owed."""

    NONE = "", _("none")
    DUE = "due", _("not sent yet")
    SENT = "sent", _("sent")
    GIVEN_UP = "given_up", _("given up")


OPEN_STATUSES = (Status.QUEUED, Status.RUNNING)
FAILURES = (Status.FAILED, Status.TIMED_OUT, Status.ABANDONED)


class Run(models.Model):
    """One firing of a job, recorded before its code runs and closed once."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="runs", verbose_name=_("job"), db_index=False)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    cause = models.CharField(_("cause"), max_length=10, choices=Cause.choices)
    requested_by = models.CharField(_("asked for by"), max_length=150, blank=True)
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="chained",
        verbose_name=_("after the run"),
        db_index=False,
    )
    scheduled_for = InstantField(_("due"))
    started_at = InstantField(_("started"), null=True, blank=True)
    finished_at = InstantField(_("finished"), null=True, blank=True)
    exit_code = models.IntegerField(_("exit code"), null=True, blank=True)
    output = models.TextField(_("output"), blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    coalesced = models.PositiveIntegerField(_("fire times folded in"), default=0)
    # The claim: unique among scheduled runs and among the runs chained by one parent; NULL elsewhere.
    # One nullable column, since MariaDB has no conditional unique constraint.
    claim_key = models.CharField(max_length=191, null=True, editable=False)
    forced = models.BooleanField(_("forced"), default=False)
    warning = models.TextField(_("left behind"), blank=True)
    host = models.CharField(_("host"), max_length=255, blank=True)
    # What the job's processes carry in their environment, so that what is left of them can be found.
    marker = models.CharField(max_length=100, blank=True, editable=False)
    report = models.CharField(_("mail"), max_length=10, choices=Report.choices, blank=True, default=Report.NONE)
    report_tries = models.PositiveIntegerField(default=0, editable=False)
    report_at = InstantField(_("mail sent or next tried"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        ordering = ("-id",)
        default_permissions = ("view",)
        # A constraint, since a unique column would have a second index for LIKE on PostgreSQL.
        constraints: ClassVar = [models.UniqueConstraint(fields=["claim_key"], name="sb_run_claim")]
        # Each is written at every claim and close, so each names the queries that need it.
        indexes: ClassVar = [
            # The history of one job, on its page and in the list; its newest runs, which prune keeps.
            models.Index(fields=["job", "-id"], name="sb_run_job"),
            # The queued runs at each reload, the running one at start and for "why"; the list by status.
            models.Index(fields=["status", "-id"], name="sb_run_status"),
            # The list by date, which it is sorted by then; the old runs, for prune.
            models.Index(fields=["-scheduled_for", "-id"], name="sb_run_due"),
            # The runs that a run chained: at its close, on its page, and when it is deleted.
            NarrowIndex(fields=["parent"], name="sb_run_parent", only=models.Q(parent__isnull=False)),
            # The list by cause; most runs are scheduled, and those are found without it.
            NarrowIndex(fields=["cause", "-id"], name="sb_run_cause", only=~models.Q(cause="schedule")),
            # The list by person.
            NarrowIndex(fields=["requested_by", "-id"], name="sb_run_person", only=~models.Q(requested_by="")),
            # The mails that are due.
            NarrowIndex(fields=["report", "report_at"], name="sb_run_report", only=models.Q(report="due")),
        ]

    def __str__(self) -> str:
        return _("run %(run)s of %(job)s") % {"run": self.pk, "job": self.job.name}


class Runner(models.Model):
    """The one row about the runner: who holds the lease, whether it is on hold, and the revision of all changes."""

    ROW: ClassVar = 1

    token = models.CharField(max_length=40, blank=True)
    host = models.CharField(_("host"), max_length=255, blank=True)
    machine = models.CharField(max_length=100, blank=True)  # where the process can be looked for
    pid = models.PositiveIntegerField(_("process"), null=True)
    process_started = models.FloatField(null=True)  # tells a process from a later one with the same pid
    since = InstantField(_("since"), null=True)
    heartbeat_at = InstantField(_("heartbeat"), null=True)
    loop_at = InstantField(_("last turn of the loop"), null=True)
    held = models.BooleanField(_("on hold"), default=False)
    held_reason = models.CharField(_("reason"), max_length=500, blank=True)
    held_by = models.CharField(_("held by"), max_length=150, blank=True)
    held_at = InstantField(_("held since"), null=True)
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
