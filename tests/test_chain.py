from dataclasses import replace

import pytest

from scheduler_bridge import chain, conf
from scheduler_bridge.discovery import discover
from scheduler_bridge.models import Job, Status
from scheduler_bridge.plan import make_plan


def followers(status, on_failure=False):
    definition = replace(
        discover().definitions["tests.demo.specimen"],
        next_jobs=("a", "b", "gone", "shop.a"),
        next_on_failure=on_failure,
    )
    names = {"a": "shop.a", "b": "shop.b", "shop.a": "shop.a"}
    return chain.followers(make_plan(definition, conf.load(), Job()), status, names.get)


def test_after_success_each_follower_is_named_once_in_order():
    assert followers(Status.SUCCEEDED) == ("shop.a", "shop.b")


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMED_OUT])
def test_after_failure_only_when_asked_for(status):
    assert followers(status) == ()
    assert followers(status, on_failure=True) == ("shop.a", "shop.b")


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.CANCELLED, Status.ABANDONED])
def test_nothing_follows_a_run_that_did_not_end_by_itself(status):
    assert followers(status, on_failure=True) == ()
