"""Why a job does not run: the gates it must pass, in order, and the first that stops it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from . import conf, lease, queues, registry, schedules, stuck
from .lease import Holder
from .models import OPEN_STATUSES, Job, Run, Runner, Status
from .plan import JobPlan, Source
from .schedules import Manual
from .stuck import StuckJob

SOURCES: Final = {
    Source.DEFAULT: gettext_lazy("default"),
    Source.CODE: gettext_lazy("code"),
    Source.SETTINGS: gettext_lazy("settings"),
    Source.DATABASE: gettext_lazy("database"),
}
STALLED_AFTER: Final = timedelta(seconds=60)


class RunnerState(StrEnum):
    """Whether jobs are started."""

    ALIVE = "alive"
    STALLED = "stalled"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One condition for a run, and what was found."""

    name: str
    passed: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All gates of one job, in order."""

    job: str
    gates: tuple[Gate, ...]

    @property
    def stop(self) -> Gate | None:
        """The first gate that stops the job."""
        return next((gate for gate in self.gates if not gate.passed), None)

    @property
    def text(self) -> str:
        """The answer in one line: what stops the job, or when it runs."""
        return (self.stop or self.gates[-1]).text


def why(name: str, now: datetime) -> Diagnosis:
    """Walk the gates of this job."""
    rows = Job.objects.using(conf.load().database).select_related("last_run").defer("last_run__output")
    row = rows.filter(name=name).first()
    if row is None:
        gate = Gate(name="job", passed=False, text=_("there is no job named %(name)s") % {"name": name})
        return Diagnosis(job=name, gates=(gate,))
    return Diagnosis(job=name, gates=tuple(_walk(row, registry.plan_of(row), now)))


def runner_state(holder: Holder | None, now: datetime) -> RunnerState:
    """Tell whether a runner is alive and its loop turns."""
    if holder is None or holder.is_gone() or not holder.is_alive(now):
        return RunnerState.ABSENT
    stalls = holder.loop_at is not None and now - holder.loop_at > STALLED_AFTER
    return RunnerState.STALLED if stalls else RunnerState.ALIVE


def runner_gate(holder: Holder | None, now: datetime) -> Gate:
    """Say whether a runner is alive and its loop turns."""
    if holder is None:
        return Gate(name="runner", passed=False, text=_("no runner is alive: nobody holds the lease"))
    state, turn = runner_state(holder, now), holder.loop_at
    match state:
        case RunnerState.ABSENT:
            text = _("no runner is alive: %(host)s process %(pid)s gave its last sign at %(at)s")
        case RunnerState.STALLED:
            text = _("the loop of the runner stalls: %(host)s process %(pid)s, last turn at %(turn)s")
        case _ if turn is None:
            text = _("alive: %(host)s process %(pid)s since %(since)s")
        case _:
            text = _("alive: %(host)s process %(pid)s since %(since)s, last turn of the loop at %(turn)s")
    values = {"host": holder.host, "pid": holder.pid, "at": clock(holder.heartbeat_at), "since": clock(holder.since)}
    return Gate(name="runner", passed=state == RunnerState.ALIVE, text=text % {**values, "turn": turn and clock(turn)})


def clock(moment: datetime) -> str:
    """Give a moment in the time zone of the scheduler."""
    return f"{conf.load().local(moment):%Y-%m-%d %H:%M:%S}"


def _walk(row: Job, plan: JobPlan, now: datetime) -> Iterator[Gate]:
    yield _code(row)
    yield runner_gate(lease.holder(), now)
    yield _hold()
    yield _switch(row, plan)
    yield _schedule(row, plan)
    handed = queues.handed_run(row)
    yield _queue(handed, plan, now) if handed is not None or plan.queue.value else _worker(row, now)
    yield _start(row, now)
    yield _last_skip(row)
    yield _next(row, now)


def _code(row: Job) -> Gate:
    if row.removed_at is not None:
        text = _("its command was removed at %(at)s") % {"at": clock(row.removed_at)}
        return Gate(name="job", passed=False, text=text)
    if broken := row.broken or row.trigger_error:
        lines = broken.strip().splitlines()
        # One line is a sentence that says by itself what is wrong; more are the traceback of a command.
        text = lines[0] if len(lines) == 1 else _("its command cannot be loaded: %(error)s") % {"error": lines[-1]}
        return Gate(name="job", passed=False, text=text)
    return Gate(name="job", passed=True, text=_("its command is there"))


def _hold() -> Gate:
    row = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW).first()
    if row is None or not row.held:
        return Gate(name="hold", passed=True, text=_("the runner is not on hold"))
    values = {
        "by": row.held_by or _("a program"),
        "at": clock(row.held_at) if row.held_at else "-",
        "reason": row.held_reason or "-",
    }
    text = _("the runner is on hold since %(at)s by %(by)s: %(reason)s") % values
    return Gate(name="hold", passed=False, text=text)


def _switch(row: Job, plan: JobPlan) -> Gate:
    if plan.enabled.value:
        return Gate(
            name="enabled", passed=True, text=_("enabled (%(source)s)") % {"source": SOURCES[plan.enabled.source]}
        )
    if _open(row).filter(forced=True).exists():
        return Gate(name="enabled", passed=True, text=_("disabled, but a forced run is under way"))
    text = _("disabled (%(source)s)") % {"source": SOURCES[plan.enabled.source]}
    if row.changed_at is not None and plan.enabled.source == "database":
        values = {"by": row.changed_by or _("a program"), "at": clock(row.changed_at)}
        text += " " + _("by %(by)s at %(at)s") % values
    return Gate(name="enabled", passed=False, text=text)


def _schedule(row: Job, plan: JobPlan) -> Gate:
    schedule = plan.schedule.value
    words = f"{schedules.words(schedule)} ({SOURCES[plan.schedule.source]})"
    is_manual = isinstance(schedule, Manual)
    is_over = row.next_run_at is None and row.last_fire_at is not None
    if not is_manual and not is_over:
        return Gate(name="schedule", passed=True, text=words)
    if _open(row).exists():
        return Gate(name="schedule", passed=True, text=_("a run is queued or under way"))
    if is_manual:
        text = _("it has no schedule: it runs by hand or after another job")
    else:
        text = _("its schedule has no further fire time: %(words)s") % {"words": words}
    return Gate(name="schedule", passed=False, text=text)


def _worker(row: Job, now: datetime) -> Gate:
    runs = Run.objects.using(conf.load().database).filter(status=Status.RUNNING, queue="")
    current = runs.select_related("job").defer("output").first()
    if current is None:
        return Gate(name="worker", passed=True, text=_("the worker is free"))
    values = {"job": current.job.name, "run": current.pk, "at": clock(current.started_at or now)}
    if current.job_id == row.pk:
        return Gate(name="worker", passed=True, text=_("it runs now, since %(at)s (run %(run)s)") % values)
    due_at = _due_at(row)
    if due_at is None or due_at > now:
        return Gate(name="worker", passed=True, text=_("the worker runs %(job)s, this job is not due") % values)
    text = _("it waits behind %(job)s, which runs since %(at)s (run %(run)s)") % values
    return Gate(name="worker", passed=False, text=text)


def _queue(run: Run | None, plan: JobPlan, now: datetime) -> Gate:
    """Say where a job stands that is handed over to an engine: it waits for no other job."""
    if run is None:
        text = _("its runs are handed over to queue %(queue)s (%(source)s)")
        text %= {"queue": plan.queue.value, "source": SOURCES[plan.queue.source]}
        return Gate(name="queue", passed=True, text=text)
    values: dict[str, object] = {"run": run.pk, "queue": run.queue, "host": run.host}
    if run.status == Status.RUNNING:
        text = _("a worker of queue %(queue)s performs it at %(host)s, since %(at)s (run %(run)s)")
        return Gate(name="queue", passed=True, text=text % {**values, "at": clock(run.started_at or now)})
    if run.handed_at is None:
        text = _("it waits to be handed over to queue %(queue)s again (run %(run)s)")
    elif queues.look(now).queue(run.queue).is_served:
        text = _("it waits for a worker of queue %(queue)s since %(at)s (run %(run)s)")
    else:
        text = _("nobody serves queue %(queue)s: it waits for a worker since %(at)s (run %(run)s)")
    return Gate(name="queue", passed=False, text=text % {**values, "at": clock(run.handed_at or now)})


def _start(row: Job, now: datetime) -> Gate:
    """Return whether the runner starts the job when it is due."""
    found = stuck.stuck_jobs(now, row.name)
    if not found:
        return Gate(name="start", passed=True, text=_("it starts when it is due"))
    return Gate(name="start", passed=False, text=stuck_words(found[0]))


def stuck_words(job: StuckJob) -> str:
    """Return what is known of a job that should have started."""
    if job.run_id is None:
        return _("due since %(at)s, nothing holds it back, and it has not started: see the runner's log") % {
            "at": clock(job.due_at)
        }
    text = _("run %(run)s is due since %(at)s, nothing holds it back, and it has not started: see the runner's log")
    return text % {"run": job.run_id, "at": clock(job.due_at)}


def _open(row: Job) -> QuerySet[Run]:
    return Run.objects.using(conf.load().database).filter(job=row, status__in=OPEN_STATUSES)


def _due_at(row: Job) -> datetime | None:
    """Give when the job is due next, by its schedule or as a queued run."""
    queued = _open(row).filter(status=Status.QUEUED).order_by("scheduled_for").values_list("scheduled_for", flat=True)
    return min((moment for moment in (row.next_run_at, queued.first()) if moment is not None), default=None)


def _last_skip(row: Job) -> Gate:
    last = row.last_run
    if last is None or last.status != Status.SKIPPED or _open(row).filter(status=Status.RUNNING).exists():
        return Gate(name="should_run", passed=True, text=_("its last run was not skipped"))
    values = {"at": clock(last.finished_at or last.scheduled_for), "reason": last.reason, "times": last.coalesced + 1}
    text = ngettext(
        "skipped at %(at)s: %(reason)s",
        "skipped %(times)s times in a row, last at %(at)s: %(reason)s",
        last.coalesced + 1,
    )
    text %= values
    return Gate(name="should_run", passed=False, text=text)


def _next(row: Job, now: datetime) -> Gate:
    running = _open(row).filter(status=Status.RUNNING).defer("output").first()
    due_at = _due_at(row)
    if running is not None:
        text = _("it runs now, since %(at)s (run %(run)s)")
        if running.queue:
            text = _("it runs now at %(host)s, since %(at)s (run %(run)s)")
        text %= {"at": clock(running.started_at or now), "run": running.pk, "host": running.host}
    elif due_at is None:
        text = _("it is not due by itself")
    elif due_at <= now:
        text = _("due since %(at)s, it is about to start") % {"at": clock(due_at)}
    else:
        text = _("next due at %(at)s") % {"at": clock(due_at)}
    return Gate(name="next", passed=True, text=text)
