import pytest
from django.contrib.auth.models import Group
from django_apscheduler.models import DjangoJob

from scheduler_bridge.models import Job, Run
from scheduler_bridge.router import SchedulerBridgeRouter


@pytest.fixture
def router(settings):
    settings.SCHEDULER_BRIDGE = {"DATABASE": "jobs"}
    return SchedulerBridgeRouter()


@pytest.mark.parametrize("model", [Job, Run, DjangoJob])
def test_our_tables_live_in_one_database(router, model):
    assert router.db_for_read(model) == router.db_for_write(model) == "jobs"
    assert router.allow_migrate("jobs", model._meta.app_label) is True
    assert router.allow_migrate("default", model._meta.app_label) is False


def test_other_tables_are_none_of_its_business(router):
    assert router.db_for_read(Group) is None
    assert router.db_for_write(Group) is None
    assert router.allow_migrate("jobs", "auth") is None
    assert router.allow_relation(Job(), Group()) is None
    assert router.allow_relation(Job(), Run()) is True
