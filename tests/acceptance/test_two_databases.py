"""A site whose jobs live in a database of their own."""

import pytest

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def two(site):
    site.env["DJANGO_SETTINGS_MODULE"] = "tests.acceptance.site.two_databases"
    return site


@pytest.mark.once
def test_a_migrate_of_each_database_makes_the_jobs_in_theirs_only(two):
    assert "job" not in two.manage("migrate", "--database", "default").stdout.replace("django_apscheduler", "")
    assert "created job tests.acceptance.site.tick" in two.manage("migrate", "--database", "jobs").stdout
    assert "created job" not in two.manage("migrate", "--database", "jobs").stdout
    two.manage("check", "--database", "default", "--database", "jobs")


@pytest.mark.once
def test_without_the_router_the_check_says_which_to_add(two):
    two.env["WITHOUT_ROUTER"] = "1"
    refused = two.manage("check", check=False)
    assert refused.returncode == 1
    assert "scheduler_bridge.E012" in refused.stderr
    assert "scheduler_bridge.router.SchedulerBridgeRouter" in refused.stderr


def test_a_runner_works_on_the_database_that_is_named(two):
    two.jobs = ("tick",)
    two.manage("migrate", "-v0", "--database", "jobs")
    runner = two.start()
    two.wait(lambda: len(two.trace()) >= 2)
    two.stop(runner)
    assert two.runs("tick")[0] == ["succeeded"]
    assert two.query("Run.objects.using('jobs').count()") >= 2


@pytest.mark.once
def test_test_databases_are_set_up_and_hold_the_jobs(two):
    created = two.script(
        "from django.test.utils import setup_databases, teardown_databases\n"
        "before = setup_databases(0, False)\n"
        "print(Job.objects.using('jobs').count())\n"
        "teardown_databases(before, 0)\n"
    )
    assert created > 5
