from datetime import timedelta

import pytest

from scheduler_bridge.models import Cause
from scheduler_bridge.overview.queue import Busy, Course, Follower, Waiting, line_up

SECOND = timedelta(seconds=1)


def waiting(name, due_at, cause=Cause.SCHEDULE, **values) -> Waiting:
    return Waiting(job_id=hash(name), name=name, cause=cause, due_at=due_at, **values)


def course(following=None, **seconds) -> Course:
    return Course(takes={name: span * SECOND for name, span in seconds.items()}, following=following or {})


def names(places) -> list[str]:
    return [place.waiting.name for place in places]


def test_chained_goes_before_by_hand_before_by_schedule_and_then_the_longest_due(now):
    line = [
        waiting("late", now - 9 * SECOND),
        waiting("later", now - 3 * SECOND),
        waiting("hand", now - SECOND, Cause.MANUAL),
        waiting("chained", now, Cause.CHAIN),
    ]
    assert names(line_up(line[::-1], now, course())) == ["chained", "hand", "late", "later"]


def test_each_starts_when_those_ahead_are_done(now):
    line = [waiting("a", now - 3 * SECOND), waiting("b", now - 2 * SECOND), waiting("c", now - SECOND)]
    places = line_up(line, now, course(a=10, b=5, c=1))
    assert [place.starts_at - now for place in places] == [0 * SECOND, 10 * SECOND, 15 * SECOND]
    assert [place.behind for place in places] == [(), ("a",), ("a", "b")]
    assert places[-1].ends_at == now + 16 * SECOND


def test_what_the_worker_does_now_goes_ahead_of_all(now):
    busy = Busy(name="long", ends_at=now + 30 * SECOND, is_known=True)
    (place,) = line_up([waiting("a", now)], now, course(a=1), busy)
    assert (place.starts_at, place.behind, place.ahead) == (now + 30 * SECOND, ("long",), 1)


def test_what_follows_a_job_runs_before_all_that_waits(now):
    known = course({"a": ("after",), "long": ("tail",)}, a=10, after=4, tail=2)
    then = (Follower(name="tail", takes=2 * SECOND),)
    busy = Busy(name="long", ends_at=now + SECOND, is_known=True, then=then)
    places = line_up([waiting("a", now - SECOND), waiting("b", now)], now, known, busy)
    assert [place.starts_at - now for place in places] == [3 * SECOND, 17 * SECOND]
    assert places[1].behind == ("long", "tail", "a")
    assert places[1].ahead == 4
    assert [follower.name for follower in places[0].then] == ["after"]


def test_one_that_is_due_later_waits_for_its_time_alone(now):
    places = line_up([waiting("later", now + 60 * SECOND), waiting("a", now)], now, course(a=10, later=1))
    assert [(place.waiting.name, place.starts_at - now, place.behind) for place in places] == [
        ("a", 0 * SECOND, ()),
        ("later", 60 * SECOND, ()),
    ]


def test_one_by_hand_that_falls_due_meanwhile_goes_ahead_of_the_schedule(now):
    line = [waiting("a", now), waiting("b", now), waiting("hand", now + 5 * SECOND, Cause.MANUAL)]
    places = line_up(line, now, course(a=10, b=10, hand=1))
    assert names(places) == ["a", "hand", "b"]
    assert [place.behind for place in places] == [(), ("a",), ("a", "hand")]


@pytest.mark.parametrize("unknown", ["a", "after"])
def test_behind_what_never_ran_nothing_is_known(now, unknown):
    spans = {"a": 1, "after": 1, "b": 1}
    del spans[unknown]
    places = line_up([waiting("a", now), waiting("b", now)], now, course({"a": ("after",)}, **spans))
    assert [place.is_known for place in places] == [True, False]


def test_behind_a_run_that_takes_longer_than_ever_nothing_is_known(now):
    busy = Busy(name="long", ends_at=now, is_known=False)
    (place,) = line_up([waiting("a", now - SECOND)], now, course(a=1), busy)
    assert (place.is_known, place.behind) == (False, ("long",))


def test_a_thousand_wait_in_a_line_that_names_only_the_first_ahead(now):
    line = [waiting(f"j{number:03}", now - timedelta(seconds=1000 - number)) for number in range(1000)]
    places = line_up(line, now, Course(takes={item.name: SECOND for item in line}, following={}))
    assert (places[-1].starts_at - now, places[-1].ahead, places[-1].behind) == (
        999 * SECOND,
        999,
        ("j000", "j001", "j002"),
    )
