from datetime import timedelta

import pytest

from scheduler_bridge import holds
from scheduler_bridge.models import Hold, Runner

HOUR = timedelta(hours=1)


@pytest.fixture
def runner(db):
    return Runner.objects.get_or_create(pk=Runner.ROW)[0]


def known() -> list[tuple]:
    return list(Hold.objects.order_by("pk").values_list("begun_at", "ended_at", "by", "reason"))


def test_a_hold_is_known_when_it_is_over(runner, now):
    holds.begin("stocktaking", "alice", None, now)
    assert known() == [(now, None, "alice", "stocktaking")]
    holds.end(now + HOUR)
    assert known() == [(now, now + HOUR, "alice", "stocktaking")]
    runner.refresh_from_db()
    assert {name: getattr(runner, name) for name in holds.NONE} == holds.NONE


def test_a_hold_over_a_hold_follows_it(runner, now):
    holds.begin("stocktaking", "alice", None, now)
    holds.begin("bank", "bob", None, now + HOUR)
    assert known() == [(now, now + HOUR, "alice", "stocktaking"), (now + HOUR, None, "bob", "bank")]


def test_the_end_of_no_hold_changes_nothing(runner, now):
    holds.begin("", "alice", None, now)
    holds.end(now + HOUR)
    holds.end(now + 2 * HOUR)
    assert known() == [(now, now + HOUR, "alice", "")]


def test_a_hold_that_ends_by_itself_ended_when_it_was_said_though_that_is_noticed_late(runner, now):
    holds.begin("", "alice", now + HOUR, now)
    assert not holds.expire(now + HOUR / 2)
    assert holds.expire(now + 3 * HOUR)
    assert known() == [(now, now + HOUR, "alice", "")]
    assert not holds.expire(now + 4 * HOUR)


@pytest.mark.parametrize(
    ("begin", "end", "found"),
    [
        (-5, 0, ""),
        (-5, 1, "a"),
        (0.5, 0.6, "a"),
        (1, 2, ""),
        (0, 9, "ab"),
        (8, 9, "b"),
    ],
)
def test_the_holds_between_two_moments_are_found(runner, now, begin, end, found):
    Hold.objects.create(begun_at=now, ended_at=now + HOUR, by="a")
    Hold.objects.create(begun_at=now + 3 * HOUR, by="b")
    assert "".join(hold.by for hold in holds.between(now + begin * HOUR, now + end * HOUR)) == found
