"""The other driver of PostgreSQL, which Django takes where psycopg 3 is missing."""

import pytest

from tests.settings import ENGINE

from .test_poolers import NAME, pauses

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(ENGINE != "postgres", reason="only PostgreSQL has two drivers"),
]


@pytest.fixture
def site(site):
    pytest.importorskip("psycopg2")
    site.env["DATABASE_DRIVER"] = "psycopg2"
    site.hang_up()
    assert site.script(DRIVER_IN_USE) == "psycopg2.extensions"
    return site


DRIVER_IN_USE = """
from django.db import connection
connection.ensure_connection()
print(json.dumps(type(connection.connection).__module__))
"""


def test_every_kind_of_run_succeeds_by_way_of_it(site):
    site.jobs = ("tick", "first", "skipping")
    runner = site.start()
    site.wait(lambda: len(site.runs("tick")) >= 3 and site.runs("second"))
    site.wait(lambda: site.runs("skipping"))
    assert site.stop(runner) == 0
    assert {status for job in ("tick", "first", "second") for (status,) in site.runs(job)} == {"succeeded"}
    assert site.runs("skipping", "status", "reason")[0] == ["skipped", "no orders"]
    assert not site.query("list(Run.objects.exclude(warning='').values_list('warning', flat=True))")


def test_a_job_leaves_nothing_behind_on_its_sessions(site):
    runner = site.start()
    for job in ("spoiling", "probing"):
        number = site.query(f"api.run_now('{NAME}{job}').pk")
        site.wait(lambda run=number: site.query(f"Run.objects.get(pk={run}).finished_at") is not None)
    ((warning,),) = site.runs("spoiling", "warning")
    assert "the session was changed (SET statement_timeout = 77777) and is replaced" in warning
    ((output,),) = site.runs("probing", "output")
    assert output.startswith('0 0 "$user", public 0\n')
    site.stop(runner)


def test_a_change_acts_as_soon_as_it_is_heard(site):
    runner = site.start()
    site.wait(lambda: site.query("Runner.objects.get().token"))
    waited = sorted(pauses(site, 5))
    assert waited[2] < 0.3, waited  # where it is polled that is more often more
    site.stop(runner)
