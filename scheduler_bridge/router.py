"""A database router for projects with several databases: all our tables live in one."""

from typing import Any, Final

from django.db.models import Model

from . import conf

APPS: Final = frozenset({"scheduler_bridge", "django_apscheduler"})


class SchedulerBridgeRouter:
    """Sends the tables of the scheduler to the database named in ``DATABASE``, and keeps them out of all others."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return conf.load().database if model._meta.app_label in APPS else None

    def db_for_write(self, model: type[Model], **hints: Any) -> str | None:
        return conf.load().database if model._meta.app_label in APPS else None

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool | None:
        return True if one._meta.app_label in APPS and other._meta.app_label in APPS else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == conf.load().database if app_label in APPS else None
