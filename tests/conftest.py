"""Fixtures that many tests share: a moment, a runner that holds the lease, a job."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from scheduler_bridge import engine, lease, ledger
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Job, Runner
from tests.tasks_api.backends.memory import MemoryBackend

# A busy machine may let one example wait for long; all else stays as it was, such as what CI wants.
hypothesis_settings.register_profile(
    "patient", hypothesis_settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@pytest.fixture
def me(db: None, now: datetime) -> Identity:
    """This process, as the holder of the lease."""
    identity = Identity.mine()
    Runner.objects.update_or_create(pk=Runner.ROW, defaults={"token": "", "held": False})
    assert lease.acquire(identity, None, now)
    return identity


@pytest.fixture
def job(db: None, now: datetime) -> Job:
    """A job without a command behind it, for the tests of the tables."""
    ledger.register({"demo.specimen": None}, "default")
    Job.objects.filter(name="demo.specimen").delete()
    return Job.objects.create(name="demo.specimen", app="demo", command="specimen", created_at=now, owed_since=now)


@pytest.fixture
def person(db: None) -> Callable[..., Client]:
    """Give a client of somebody on the staff who has these permissions."""

    def make(*permissions: str) -> Client:
        user = get_user_model().objects.create_user("pat@example.com", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def specimen(db: None) -> Job:
    """The job of the demo that the code runs every 30 minutes, as if it had been found just now.

    Its row may be older than that interval when the tests take long.
    """
    found, now = Job.objects.filter(name="tests.demo.specimen"), datetime.now(UTC)
    found.update(created_at=now, owed_since=now, next_run_at=now + timedelta(minutes=30))
    return found.get()


@pytest.fixture
def tasks(settings: Any, monkeypatch: pytest.MonkeyPatch) -> type[MemoryBackend]:
    """An engine with two queues, to which the project hands over."""
    monkeypatch.setattr(engine, "APIS", ("tests.tasks_api",))
    monkeypatch.setattr(MemoryBackend, "taken", [])
    monkeypatch.setattr(MemoryBackend, "is_down", False)
    backend = {"BACKEND": "tests.tasks_api.backends.memory.MemoryBackend", "QUEUES": ["mail", "reports"]}
    settings.TASKS = {"engine": backend}
    settings.SCHEDULER_BRIDGE = {**getattr(settings, "SCHEDULER_BRIDGE", {}), "TASKS_BACKEND": "engine"}
    return MemoryBackend
