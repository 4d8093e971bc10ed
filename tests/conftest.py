"""Fixtures that many tests share: a moment, a runner that holds the lease, a job."""

from datetime import UTC, datetime

import pytest

from scheduler_bridge import lease, ledger
from scheduler_bridge.lease import Identity
from scheduler_bridge.models import Job, Runner


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
