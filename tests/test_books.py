from datetime import UTC, datetime, timedelta

import pytest

from scheduler_bridge import history
from scheduler_bridge.books import RunnersBooks
from scheduler_bridge.exceptions import LeaseLost
from scheduler_bridge.gate import admit
from scheduler_bridge.history import Firing
from scheduler_bridge.models import Cause, Job, Run, Status


@pytest.fixture
def admitted(me, specimen):
    due = datetime.now(UTC)
    Job.objects.filter(pk=specimen.pk).update(owed_since=due - timedelta(hours=1))
    return admit(Firing(job_id=specimen.pk, name=specimen.name, cause=Cause.SCHEDULE, fire_time=due), due)


def test_the_lease_is_fresh_when_a_run_is_recorded(me, admitted, monkeypatch):
    steps: list[str] = []
    books = RunnersBooks(me, lambda: steps.append("freshened"))
    real = history.claim
    monkeypatch.setattr(history, "claim", lambda *words: steps.append("claimed") or real(*words))
    assert books.claim(admitted, datetime.now(UTC)).status == Status.RUNNING
    assert steps == ["freshened", "claimed"]


def test_a_lease_that_is_found_lost_records_nothing(me, admitted):
    def lose() -> None:
        raise LeaseLost("another process is the runner now")

    with pytest.raises(LeaseLost):
        RunnersBooks(me, lose).claim(admitted, datetime.now(UTC))
    assert not Run.objects.exists()


def test_a_lease_that_is_confirmed_after_a_standstill_is_fresh(me):
    steps: list[str] = []
    RunnersBooks(me, lambda: steps.append("freshened")).confirm()
    assert steps == ["freshened"]
