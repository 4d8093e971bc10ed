"""Triggers that others made: whatever they do, the answer is a later fire time in UTC, none, or a TriggerError."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from time import monotonic

import pytest
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django.db import connections

from scheduler_bridge.exceptions import TriggerError
from scheduler_bridge.schedules import Custom, words
from scheduler_bridge.triggers import (
    Courses,
    fingerprint,
    fire_times,
    guard,
    next_fire,
    overdue,
    resumed,
    to_trigger,
    upcoming,
    weight,
)
from scheduler_bridge.triggers.course import steady
from scheduler_bridge.triggers.strict import Strict

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Answers(BaseTrigger):
    """Answers as a function says."""

    def __init__(self, answer):
        self.answer = answer

    def get_next_fire_time(self, previous_fire_time, now):
        return self.answer(previous_fire_time, now)


class Untold(Exception):
    def __str__(self):
        raise ValueError("no text")


class Moment(datetime):
    """A moment of a type of its own, as those of pandas."""


def raises(error):
    def answer(previous, now):
        raise error

    return answer


def custom(answer):
    return to_trigger(Custom(Answers(answer)), UTC, anchor=NOW)


BROKEN = {
    "raises": (raises(KeyError("rota")), "got KeyError: 'rota'"),
    "ends the process": (raises(SystemExit(3)), "got SystemExit: 3"),
    "interrupts": (raises(KeyboardInterrupt()), "got KeyboardInterrupt"),
    "raises what cannot be told": (raises(Untold()), "got Untold: <tests.test_trigger_guard.Untold object>"),
    "calls itself": (lambda previous, now: BROKEN["calls itself"][0](previous, now), "got RecursionError"),
    "has no time zone": (lambda previous, now: datetime(2030, 1, 1), "got datetime.datetime(2030, 1, 1, 0, 0)"),
    "says a word": (lambda previous, now: "tomorrow", "got str: 'tomorrow'"),
    "stands still": (lambda previous, now: NOW - HOUR, "later than 2026-05-01 11:00:00+00:00, got 2026-05-01 11:00"),
    "goes back": (lambda previous, now: (previous or NOW) - HOUR, "got 2026-05-01 10:00:00+00:00"),
    "counts by microseconds": (
        lambda previous, now: (previous or NOW - HOUR) + timedelta(microseconds=1),
        "after 10,000 steps",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_its_word_is_a_trigger_error_that_says_how(name):
    answer, text = BROKEN[name]
    trigger = custom(answer)
    asks = (
        lambda: next_fire(trigger, NOW),
        lambda: trigger.get_next_fire_time(NOW, NOW),
        lambda: overdue(trigger, NOW, NOW + HOUR),
        lambda: upcoming(trigger, NOW, 3),
        lambda: resumed(trigger, NOW, NOW + HOUR),
        lambda: Courses(NOW).course(trigger).after(NOW + HOUR),
        lambda: next_fire(to_trigger(Custom(OrTrigger([CronTrigger(hour=3), Answers(answer)])), UTC), NOW),
        lambda: next_fire(to_trigger(Custom(AndTrigger([CronTrigger(hour=3), Answers(answer)])), UTC), NOW),
    )
    for ask in asks:
        with pytest.raises(TriggerError) as caught:
            ask()
        assert "Answers" in str(caught.value)
        assert not caught.value.stalled
    with pytest.raises(TriggerError) as caught:
        next_fire(trigger, NOW)
    assert text in str(caught.value)
    assert weight(trigger, NOW) == 1


def test_one_whose_fire_times_follow_at_once_is_refused():
    trigger = custom(lambda previous, now: now)
    with pytest.raises(TriggerError, match="10 milliseconds apart"):
        upcoming(trigger, NOW, 9)


def test_what_is_no_trigger_at_all_is_refused_when_it_is_asked():
    for thing in (object(), None, CronTrigger, IntervalTrigger.__new__(IntervalTrigger)):
        trigger = to_trigger(Custom(thing), UTC, anchor=NOW)
        with pytest.raises(TriggerError):
            next_fire(trigger, NOW)
        assert fingerprint(Custom(thing), UTC)


SOUND = {
    "another zone": (lambda previous, now: datetime(2026, 5, 1, 16, tzinfo=timezone(2 * HOUR)), NOW + 2 * HOUR),
    "a type of its own": (lambda previous, now: Moment(2026, 5, 1, 14, tzinfo=UTC), NOW + 2 * HOUR),
    "counts on": (lambda previous, now: (previous or NOW - 50 * HOUR) + 7 * HOUR, NOW + 6 * HOUR),
    "ended": (lambda previous, now: None, None),
    "a date": (lambda previous, now: None if previous else NOW - HOUR, None),
    "beyond the calendar": (lambda previous, now: datetime.max.replace(tzinfo=UTC) + HOUR, None),
}


@pytest.mark.parametrize("name", SOUND)
def test_what_keeps_its_word_is_asked_as_apscheduler_does(name):
    answer, wanted = SOUND[name]
    found = next_fire(custom(answer), NOW)
    assert found == wanted
    assert found is None or (type(found) is datetime and found.tzinfo is UTC)


def test_one_that_counts_on_keeps_its_course_whatever_moment_it_is_asked_for():
    trigger = custom(lambda previous, now: NOW if previous is None else previous + 7 * HOUR)
    course = [NOW + 7 * HOUR * number for number in range(30)]
    assert upcoming(trigger, NOW - HOUR, 30) == course
    for hours in range(0, 200, 11):
        assert next_fire(trigger, NOW + hours * HOUR) == min(fire for fire in course if fire > NOW + hours * HOUR)
    found = overdue(trigger, NOW, NOW + 70 * HOUR)
    assert (found.latest, found.coalesced) == (NOW + 70 * HOUR, 9)


@pytest.fixture
def quick(monkeypatch):
    """Let a trigger have as good as no time."""
    monkeypatch.setattr(guard, "ANSWER_WITHIN", 0.2)
    monkeypatch.setattr(guard, "ALL_WITHIN", 0.2)


def test_an_endless_loop_is_ended_and_told(quick):
    ended = threading.Event()

    def loop(previous, now):
        try:
            while True:
                pass
        finally:
            ended.set()

    with pytest.raises(TriggerError, match="within") as caught:
        next_fire(custom(loop), NOW)
    assert caught.value.stalled
    assert ended.wait(10)


def test_one_that_does_not_answer_is_left_and_not_asked_again_at_once(quick):
    asked, release = [], threading.Event()

    def waits(previous, now):
        asked.append(now)
        release.wait()

    given = Answers(waits)
    try:
        for ask in (next_fire, next_fire, lambda trigger, now: upcoming(trigger, now, 2)):
            with pytest.raises(TriggerError) as caught:
                ask(to_trigger(Custom(given), UTC, anchor=NOW), NOW)
            assert caught.value.stalled
        assert len(asked) == 1
        # Others are answered meanwhile.
        assert next_fire(custom(lambda previous, now: NOW + HOUR), NOW) == NOW + HOUR
    finally:
        release.set()


def test_it_is_asked_again_after_a_rest(quick, monkeypatch):
    release = threading.Event()
    given = Answers(lambda previous, now: NOW + HOUR if release.wait() else None)
    trigger = to_trigger(Custom(given), UTC)
    with pytest.raises(TriggerError):
        next_fire(trigger, NOW)
    release.set()
    monkeypatch.setattr(guard, "REST", 0.0)
    deadline = monotonic() + 20
    while (found := answered(trigger)) is None and monotonic() < deadline:
        threading.Event().wait(0.01)  # until its thread has ended
    assert found == NOW + HOUR


def answered(trigger):
    try:
        return next_fire(trigger, NOW)
    except TriggerError:
        return None


def test_a_forked_process_asks_with_threads_of_its_own():
    trigger = custom(lambda previous, now: NOW + HOUR)
    next_fire(trigger, NOW)  # its thread waits for more, and is not there in a fork
    code = (
        "import os, warnings; warnings.simplefilter('ignore')\n"
        "from tests.test_trigger_guard import custom, next_fire, NOW, HOUR\n"
        "trigger = custom(lambda previous, now: NOW + HOUR)\n"
        "assert next_fire(trigger, NOW) == NOW + HOUR\n"
        "pid = os.fork()\n"
        "if not pid:\n"
        "    os._exit(0 if next_fire(trigger, NOW) == NOW + HOUR else 1)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, timeout=60, check=False)
    assert done.returncode == 0


class Rota(BaseTrigger):
    """One without a text of its own."""

    __slots__ = ("__dict__", "_private", "people")

    def __init__(self, people, **further):
        self.people = people
        self._private = object()
        vars(self).update(further)

    def get_next_fire_time(self, previous_fire_time, now):
        return NOW + HOUR


def test_a_trigger_without_a_text_of_its_own_is_known_by_what_it_holds():
    def key(*args, **further):
        return fingerprint(Custom(Rota(*args, **further)), UTC)

    assert key({"a": 1, "b": {0, 8}}) == key({"b": {8, 0}, "a": 1})
    assert key(["a"]) != key(["b"])
    assert key(["a"], by=print) == key(["a"], by=print)
    assert key(["a"], inner=Rota(["x"])) == key(["a"], inner=Rota(["x"])) != key(["a"], inner=Rota(["y"]))
    assert key(["a"], inner=object()) == key(["a"], inner=object())
    assert " at 0x" not in key([object(), lambda: 0])


class Spiteful(Rota):
    """One whose every text raises."""

    jitter = 5

    def __repr__(self):
        raise SystemExit("repr")

    def __str__(self):
        return 7

    def __eq__(self, other):
        raise ValueError("eq")

    __hash__ = None

    def __copy__(self):
        raise OSError("copy")

    def __getstate__(self):
        raise RuntimeError("state")


def test_texts_and_copies_of_a_trigger_may_raise():
    schedule = Custom(Spiteful(["a"]))
    trigger = to_trigger(schedule, UTC, anchor=NOW)
    assert next_fire(trigger, NOW) == NOW + HOUR
    assert steady(trigger) is trigger
    assert str(trigger) == repr(trigger)[9:-1] == words(schedule) == "<tests.test_trigger_guard.Spiteful>"
    assert fingerprint(schedule, UTC) == fingerprint(Custom(Spiteful(["b"])), UTC)
    assert fingerprint(Custom(OrTrigger([Spiteful(["a"])])), UTC)


class Eager(IntervalTrigger):
    """An interval with a search of its own."""

    def get_next_fire_time(self, previous_fire_time, now):
        return super().get_next_fire_time(previous_fire_time, now)


def test_an_interval_with_a_search_of_its_own_hangs_on_the_last_fire_time_too():
    assert len({fingerprint(Custom(Eager(hours=24)), UTC) for _ in range(3)}) == 1
    for _ in range(3):
        assert next_fire(to_trigger(Custom(Eager(hours=24)), UTC, anchor=NOW), NOW) == NOW + 24 * HOUR


def test_a_random_part_of_a_trigger_of_the_project_can_be_left_out():
    trigger = to_trigger(Custom(Eager(hours=1, start_date=NOW, jitter=900)), UTC)
    assert upcoming(steady(trigger), NOW, 2) == [NOW + HOUR, NOW + 2 * HOUR]
    assert trigger.given.jitter == 900


def test_a_raw_trigger_is_held_to_the_same():
    assert next_fire(DateTrigger(NOW), NOW - HOUR) == NOW
    assert next_fire(DateTrigger(NOW), NOW) is None


def test_a_connection_that_a_trigger_opens_is_closed_again():
    closed = []

    def close():
        closed.append(threading.current_thread())
        raise OSError("broken already")

    def reads(previous, now):
        connections["default"].close = close  # that of the thread it is asked in
        return NOW + HOUR

    assert [next_fire(custom(reads), NOW) for _ in range(3)] == [NOW + HOUR] * 3
    assert len(closed) == 3
    assert threading.main_thread() not in closed


def test_the_thread_of_an_ask_that_a_person_interrupts_ends(monkeypatch):
    release, threads = threading.Event(), []

    def waits(previous, now):
        threads.append(threading.current_thread())
        release.wait()
        return NOW + HOUR

    def interrupted(*details):
        while not threads:
            pass
        raise KeyboardInterrupt

    monkeypatch.setattr(guard, "_waited", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next_fire(custom(waits), NOW)
    release.set()
    threads[0].join(20)
    assert not threads[0].is_alive()


def test_counting_what_an_and_trigger_finds_slowly_has_a_limit(quick, monkeypatch):
    monkeypatch.setattr(fire_times, "ALL_WITHIN", 0.2)
    slow = AndTrigger([IntervalTrigger(seconds=97, start_date=NOW), IntervalTrigger(seconds=101, start_date=NOW)])
    with pytest.raises(TriggerError, match="within"):
        overdue(to_trigger(Custom(slow), UTC), NOW, NOW + timedelta(days=9000))


class Standing(Strict):
    """A search of ours that would go wrong."""

    def _following(self, after):
        return after


def test_a_search_of_ours_is_held_to_the_same():
    with pytest.raises(TriggerError, match="later than"):
        next_fire(Standing(), NOW)


def test_many_answers_that_take_too_long_together_are_no_ask_without_an_answer(quick, monkeypatch):
    monkeypatch.setattr(fire_times, "ALL_WITHIN", 0.6)
    pause = threading.Event()
    trigger = custom(lambda previous, now: None if pause.wait(0.05) else now + HOUR)
    with pytest.raises(TriggerError, match="got some of them") as caught:
        upcoming(trigger, NOW, 10_000)
    assert not caught.value.stalled
    assert next_fire(trigger, NOW) == NOW + HOUR + timedelta(microseconds=1)
