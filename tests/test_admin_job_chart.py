import re
from datetime import timedelta

import pytest

from scheduler_bridge.admin import bars, chart, scale
from scheduler_bridge.models import Cause, Status
from scheduler_bridge.past import PastRun


@pytest.fixture
def past(now):
    """Give a run of the past, so many minutes ago."""

    def make(status=Status.SUCCEEDED, seconds=1.0, ago=0, **values):
        due = now - timedelta(minutes=ago)
        spans = {"started_at": due, "finished_at": due + timedelta(seconds=seconds)}
        given = {"cause": Cause.SCHEDULE, "scheduled_for": due, "coalesced": 0, **spans}
        return PastRun(**{"run_id": 1000 - ago, "job_id": 1, "status": status, **given, **values})

    return make


def heights(svg: str) -> list[int]:
    return [int(found) for found in re.findall(r'<rect[^>]* height="(\d+)"', svg)]


def test_a_bar_is_as_high_as_its_run_was_long_and_never_too_low_to_be_seen(past, now):
    svg = bars.drawn([past(seconds=100), past(seconds=50, ago=1), past(seconds=0.01, ago=2)], now)
    assert heights(svg) == [bars.LEAST, bars.HEIGHT // 2, bars.HEIGHT]


def test_runs_that_took_no_time_have_bars_too(past, now):
    assert heights(bars.drawn([past(seconds=0), past(seconds=0, ago=1)], now)) == [bars.LEAST] * 2
    assert "no runs yet" in bars.drawn([], now)


def test_the_newest_run_stands_at_the_right(past, now):
    svg = bars.drawn([past(), past(ago=1)], now)
    places = re.findall(r'/run/(\d+)/change/.*? x="(\d+)"', svg)
    assert places == [("999", "127"), ("1000", "134")]


def test_a_run_that_goes_on_is_as_high_as_it_has_lasted(past, now):
    running = past(Status.RUNNING, started_at=now - timedelta(seconds=30), finished_at=None)
    svg = bars.drawn([running, past(seconds=60, ago=5)], now)
    assert heights(svg) == [bars.HEIGHT, bars.HEIGHT // 2]
    assert ": running, 30.0 s</title>" in svg


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"seconds": 3.2}, ": succeeded, 3.2 s"),
        ({"status": Status.FAILED, "seconds": 0}, ": failed, 0.0 s"),
        ({"status": Status.SKIPPED, "started_at": None}, ": skipped"),
        ({"status": Status.SKIPPED, "started_at": None, "coalesced": 4}, ": skipped 5 times in a row"),
        ({"status": Status.QUEUED, "started_at": None, "finished_at": None}, ": queued"),
    ],
)
def test_a_bar_says_when_and_how_and_how_long(past, now, values, words):
    assert bars.title(past(**values), now) == f"2026-03-10 13:00:00{words}"


def test_one_run_is_counted_as_one(past):
    assert bars.counted([past()]) == "1 run: 1 succeeded"
    assert bars.counted([past(), past(Status.ABANDONED)]) == "2 runs: 1 succeeded, 1 abandoned"


def seconds(*values: float) -> list[timedelta]:
    return [timedelta(seconds=value) for value in values]


@pytest.mark.parametrize(
    ("spans", "marks"),
    [
        ((0.0,), ["0 s", "0.1 s"]),
        ((3.1, 2.9, 3.4), ["0 s", "1 s", "2 s", "3 s", "4 s"]),
        ((12, 11, 40), ["0 s", "10 s", "20 s", "30 s", "40 s"]),
        ((95, 110), ["0 s", "30 s", "1 min", "1.5 min", "2 min"]),
        ((1290, 1340), ["0 s", "10 min", "20 min", "30 min"]),
        ((86400 * 5,), ["0 s", "2 d", "4 d", "6 d"]),
        ((0.2, 0.3, 0.2, 120), ["0.1 s", "1 s", "10 s", "1 min", "10 min"]),
    ],
)
def test_a_scale_has_a_few_round_marks_that_enclose_all_spans(spans, marks):
    found = scale.for_spans(seconds(*spans))
    assert [text for _place, text in found.marks()] == marks
    assert all(0 <= found.place(span) <= 1 for span in seconds(*spans))


def test_a_scale_keeps_the_order_of_spans():
    for spans in (seconds(0, 1, 5, 9), seconds(0, 0.2, 0.3, 0.25, 500)):
        found = scale.for_spans(spans)
        places = [found.place(span) for span in sorted(spans)]
        assert places == sorted(places)
        assert found.place(max(spans)) > 0.4


@pytest.mark.django_db
def test_a_single_run_stands_in_the_middle(past, now):
    svg = chart.drawn([past()], timedelta(seconds=1), now, "/runs/?job=1")
    assert re.findall(r'class="sb-p-succeeded" x="([\d.]+)%"', svg) == ["50.00"]


@pytest.mark.django_db
def test_runs_stand_in_the_order_of_time_and_longer_ones_higher(past, now):
    svg = chart.drawn([past(seconds=4), past(seconds=2, ago=30), past(seconds=1, ago=60)], None, now, "/runs/?job=1")
    places = re.findall(r'class="sb-p-succeeded" x="([\d.]+)%" y="([\d.]+)"', svg)
    assert [x for x, _y in places] == ["1.50", "50.00", "98.50"]
    heights = [float(y) for _x, y in places]
    assert heights == sorted(heights, reverse=True)
    assert "Each line stands for several times" not in svg


@pytest.mark.django_db
def test_spans_that_differ_much_are_told_apart_and_the_reader_is_told_how(past, now):
    runs = [past(Status.TIMED_OUT, 120), *(past(seconds=0.2, ago=number) for number in range(1, 9))]
    assert "Each line stands for several times" in chart.drawn(runs, timedelta(seconds=0.2), now, "/runs/?job=1")
