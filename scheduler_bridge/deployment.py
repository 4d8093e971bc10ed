"""What a migrate means: rows that follow the code, and runners that notice that they run older code."""

import hashlib
from datetime import UTC, datetime
from functools import cache

from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from . import conf, registry
from .discovery import discover, module_source
from .models import Deployment, Hold, Job, Run, Runner, Standby

MODELS = (Job, Run, Runner, Hold, Standby, Deployment, DjangoJob, DjangoJobExecution)
TABLES = frozenset(model._meta.db_table for model in MODELS)


def has_tables() -> bool:
    """Tell whether our tables are there: another app may be migrated before ours, or ours may be taken back."""
    connection = connections[conf.load().database]
    with connection.cursor() as cursor:
        return set(connection.introspection.table_names(cursor)) >= TABLES


def follow(now: datetime) -> list[str]:
    """Make the rows follow the code and note which code that was; give one line for each change."""
    code = code_fingerprint()
    rows = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW)
    if rows.exclude(code=code).exists():
        registry.release_all()
    lines = registry.sync(now)
    if rows.exclude(code=code).update(code=code):
        Deployment.objects.using(conf.load().database).create(at=now, code=code)
        lines = lines or [f"code {code[:12]} is in force"]
    return lines


def settle(row: Job) -> bool:
    """Time a job anew that was just saved; a removed one has no times. A trigger that broke is asked again."""
    if row.removed_at is not None:
        return False
    registry.release(row)
    return registry.settle(row, registry.plan_of(row), datetime.now(UTC), retry=True)


def note_migrate(now: datetime) -> None:
    """Note that a migrate changed the tables."""
    Runner.objects.using(conf.load().database).filter(pk=Runner.ROW).update(migrated_at=now)


def migrated_at() -> datetime | None:
    """Give the moment of the last migrate that changed the tables."""
    rows = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW)
    return rows.values_list("migrated_at", flat=True).first()


def migrated_code() -> str:
    """Give the fingerprint of the code that was migrated last; empty when none was."""
    rows = Runner.objects.using(conf.load().database).filter(pk=Runner.ROW)
    return rows.values_list("code", flat=True).first() or ""


def is_outdated() -> bool:
    """Tell whether code other than this process runs was migrated."""
    return migrated_code() != code_fingerprint()


@cache
def code_fingerprint() -> str:
    """Give a digest of what this process runs: the sources of all jobs, and the migrations on disk."""
    digest = hashlib.sha256()
    for name, definition in sorted(discover().definitions.items()):
        digest.update(f"{name}\n{module_source(definition.module)}\n".encode(errors="backslashreplace"))
    for name in sorted(discover().broken):
        digest.update(f"{name} broken\n".encode())
    for key in sorted(MigrationLoader(None).disk_migrations or ()):
        digest.update(f"{key}\n".encode())
    return digest.hexdigest()
