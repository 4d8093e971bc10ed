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
from tests.settings import ENGINE
from tests.tasks_api.backends.memory import MemoryBackend

# Tests that wait for a minute or so come first, so that nobody waits for them in the end; then all with real processes,
# then the longest of the others.
LONGEST = (
    "test_hosts",
    "may_lock_the_file_for_a_minute",
    "away_for_a_minute",
    "test_job_faults",
    "thousands_of_queued_runs",
    "past_its_lease",
    "test_failover",
    "test_database_faults",
    "test_faults",
    "test_world_faults",
    "acceptance/test_broken_triggers",
    "test_copied_database",
    "test_untellable",
    "test_poolers",
    "acceptance",
    "triggers",
    "test_clock_changes",
    "test_trigger_guard",
    "test_worker",
)
# Files whose tests share what takes long to set up: for each way of starting jobs.
SHARING = ("test_job_faults", "test_child_process", "test_stack_and_usage", "test_fork", "test_audit")
WAYS = ("exec", "auto")
# Who requests one of these asks the database; "site", "stage" and "shop" are those of the acceptance tests.
ASKING = {"db", "transactional_db", "live_server", "site", "stage", "_engaged"}

# A busy machine may let one example wait for long; all else stays as it was, such as what CI wants.
hypothesis_settings.register_profile(
    "patient", hypothesis_settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("patient")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that start each job as a new program, so that they can be run apart from the others."""
    callspec = getattr(item, "callspec", None)
    if callspec is not None and "exec" in [value for value in callspec.params.values() if isinstance(value, str)]:
        item.add_marker("exec")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the longest tests come first, whatever the order of the others.

    On a database server leave out what SQLite says as well: each test that asks no database, or is to run once.
    """
    if ENGINE != "sqlite":
        config.hook.pytest_deselected(items=[item for item in items if not asks(item)])
        items[:] = [item for item in items if asks(item)]
    items.sort(key=rank)


def rank(item: pytest.Item) -> int:
    return next((rank for rank, part in enumerate(LONGEST) if part in item.nodeid), len(LONGEST))


def asks(item: pytest.Item) -> bool:
    """Return whether a test may end differently on another database.

    What is skipped for some reason may be skipped on SQLite: then no other run would have it.
    """
    if item.get_closest_marker("once"):
        return False
    is_marked = any(item.get_closest_marker(name) for name in ("django_db", "skipif"))
    return is_marked or not ASKING.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what starts jobs in processes of their own without forks too, once: the database has no part in that."""
    if metafunc.definition.get_closest_marker("both_ways") and ENGINE == "sqlite":
        metafunc.parametrize("way_of_starting", WAYS, indirect=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let tests that share something go to one process, and each other one with real processes to whoever is free.

    With "loadgroup" all tests of a file with one engine go to one process: they share a site.
    """
    from xdist.scheduler import LoadScopeScheduling

    scopes = {"loadgroup": by_engine, "loadscope": by_what_is_shared}

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return scopes[config.getoption("dist")](nodeid)

    return Scheduling(config, log) if config.getoption("dist") in scopes else None


def by_engine(nodeid: str) -> str:
    path, _, test = nodeid.partition("::")
    return f"{path} {test.rpartition('[')[2]}"


def by_what_is_shared(nodeid: str) -> str:
    path, _, test = nodeid.partition("::")
    if "acceptance" not in path:
        return path
    if not any(name in path for name in SHARING):
        return nodeid
    words = test.partition("[")[2].rstrip("]").split("-")
    return f"{path} {[way for way in WAYS if way in words]}"


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
