"""What happens at Django's signals: a migrate, a saved job, a deleted job."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from django.apps import AppConfig
from django.core.management.base import OutputWrapper
from django.db import DEFAULT_DB_ALIAS
from django.db.models.signals import post_delete, post_migrate, post_save

from . import changes, conf, deployment, engine, history
from .models import Job


def connect(app: AppConfig) -> None:
    """Connect all receivers; called once, when the app is ready."""
    # With a sender it comes once per migrate, not once per app.
    post_migrate.connect(follow_code, sender=app, dispatch_uid="scheduler_bridge.follow_code")
    post_save.connect(job_changed, sender=Job, dispatch_uid="scheduler_bridge.job_changed")
    post_delete.connect(job_deleted, sender=Job, dispatch_uid="scheduler_bridge.job_deleted")


def follow_code(
    *,
    using: str = DEFAULT_DB_ALIAS,
    verbosity: int = 1,
    stdout: TextIO | OutputWrapper | None = None,
    plan: Sequence[object] = (),
    **kwargs: Any,
) -> None:
    """Make the Job rows follow the code after a migrate, and tell a running runner.

    A flush sends the signal without most of its arguments, and for every alias.
    """
    if using != conf.load().database or not deployment.has_tables():
        return
    now = datetime.now(UTC)
    lines = deployment.follow(now)
    if lines:
        history.report_broken(now)
    if plan:
        deployment.note_migrate(now)
    if lines or plan:
        changes.announce()
    for line in lines if verbosity >= 1 else ():
        (stdout or sys.stdout).write(f"  {line}\n")


def job_changed(*, instance: Job, raw: bool = False, **kwargs: Any) -> None:
    """Time a saved job anew and tell a running runner."""
    if not raw:
        if deployment.settle(instance) and instance.trigger_error:
            history.report_broken(datetime.now(UTC))
        if engine.is_used():
            history.look_again(instance.pk)  # it may go elsewhere now
    changes.announce()


def job_deleted(**kwargs: Any) -> None:
    """Tell a running runner that a job is gone."""
    changes.announce()
