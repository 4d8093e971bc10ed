"""Run: one firing of a job, and the words for what became of it."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from .fields import CharColumn, InstantField, NarrowIndex, OutputColumn, TextColumn
from .job import Job


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
    requested_by = CharColumn(_("asked for by"), max_length=150, blank=True)
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
    output = OutputColumn(_("output"), blank=True)
    reason = CharColumn(_("reason"), max_length=500, blank=True)
    coalesced = models.PositiveIntegerField(_("fire times folded in"), default=0)
    # The claim: unique among scheduled runs and among the runs chained by one parent; NULL elsewhere.
    # One nullable column, since MariaDB has no conditional unique constraint.
    claim_key = models.CharField(max_length=191, null=True, editable=False)
    forced = models.BooleanField(_("forced"), default=False)
    warning = TextColumn(_("left behind"), blank=True)
    host = CharColumn(_("host"), max_length=255, blank=True)
    # What the job's processes carry in their environment, so that what is left of them can be found.
    marker = models.CharField(max_length=100, blank=True, editable=False)
    # What a run in a process of its own used, with all its processes.
    cpu_seconds = models.FloatField(_("CPU time"), null=True, blank=True)
    peak_memory = models.BigIntegerField(_("peak memory"), null=True, blank=True)  # bytes
    # Who wants it to end before its time.
    cancel_by = CharColumn(_("cancelled by"), max_length=150, blank=True, editable=False)
    cancel_at = InstantField(null=True, blank=True, editable=False)
    # The queue of the engine that it was handed over to; empty for a run of the runner's own.
    queue = models.CharField(_("queue"), max_length=100, blank=True)
    # When the runner looks at a run that was handed over: to hand it over again, or to tell how it ended.
    hand_at = InstantField(null=True, blank=True, editable=False)
    hand_tries = models.PositiveIntegerField(default=0, editable=False)
    # Since when it waits, or has waited, for a worker of that queue.
    handed_at = InstantField(_("handed over"), null=True, blank=True, editable=False)
    # The last sign of life of the worker that performs it.
    heartbeat_at = InstantField(_("heartbeat"), null=True, blank=True, editable=False)
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
            # The runs that were handed over and are to be looked at.
            NarrowIndex(fields=["hand_at"], name="sb_run_hand", only=models.Q(hand_at__isnull=False)),
            # The mails that are due.
            NarrowIndex(fields=["report", "report_at"], name="sb_run_report", only=models.Q(report="due")),
        ]

    def __str__(self) -> str:
        return _("run %(run)s of %(job)s") % {"run": self.pk, "job": self.job.name}
