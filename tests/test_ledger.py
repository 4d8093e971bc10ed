from datetime import timedelta

import pytest
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from scheduler_bridge import ledger


@pytest.fixture
def known(db):
    ledger.register({"shop.till": None}, "default")


def executions() -> list[DjangoJobExecution]:
    return list(DjangoJobExecution.objects.filter(job_id="shop.till"))


def test_a_job_is_registered_once_and_never_pickled(known, now, settings):
    ledger.register({"shop.till": now}, "default")
    row = DjangoJob.objects.get(pk="shop.till")
    assert row.next_run_time == (now if settings.USE_TZ else timezone.make_naive(now))
    assert bytes(row.job_state) == b""
    ledger.plan_next("shop.till", None, "default")
    assert DjangoJob.objects.get(pk="shop.till").next_run_time is None


def test_an_execution_starts_once_and_ends_well(known, now):
    ledger.start("shop.till", now, "default")
    ledger.start("shop.till", now, "default")
    end = now + timedelta(seconds=2.5)
    ledger.finish("shop.till", now, error=None, started=now, now=end, using="default")
    (row,) = executions()
    assert (row.status, float(row.duration), row.exception) == (DjangoJobExecution.SUCCESS, 2.5, None)
    assert float(row.finished) == pytest.approx(end.timestamp(), abs=0.01)


def test_an_error_is_cut_to_its_column(known, now):
    ledger.start("shop.till", now, "default")
    ledger.finish("shop.till", now, error="x" * 5000, started=now, now=now, using="default")
    (row,) = executions()
    assert (row.status, len(row.exception)) == (DjangoJobExecution.ERROR, ledger.TEXT_LIMIT)


def test_a_clock_that_was_set_back_gives_no_negative_duration(known, now):
    ledger.start("shop.till", now, "default")
    ledger.finish("shop.till", now, error=None, started=now, now=now - timedelta(hours=1), using="default")
    assert executions()[0].duration == 0
