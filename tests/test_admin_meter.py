from datetime import timedelta

import pytest

from scheduler_bridge.admin import meter
from scheduler_bridge.past import Usual


def usual(median: float | None, p95: float | None) -> Usual:
    spans = (None if span is None else timedelta(seconds=span) for span in (median, p95))
    return Usual(count=1, median=next(spans), p95=next(spans), success_rate=1.0, skipped=0.0)


@pytest.mark.parametrize(
    ("elapsed", "median", "p95", "filled", "marks"),
    [
        (25, 40, 50, "50.0", ("80.0",)),  # its end is what nearly all keep to
        (0, 40, 50, "0.0", ("80.0",)),
        (50, 40, 50, "100.0", ("80.0",)),
        (100, 40, 50, "100.0", ("40.0", "50.0")),
        (5, 10, 10, "50.0", ()),
        (5, 0, 0, "100.0", ("0.0",)),
        (0, 0, 0, "0.0", ("0.0",)),
    ],
)
def test_a_run_fills_its_bar_up_to_its_usual_time(elapsed, median, p95, filled, marks):
    found = meter.of_run(timedelta(seconds=elapsed), usual(median, p95))
    assert (found.filled, found.marks) == (filled, marks)


def test_a_job_that_never_ran_has_no_bar():
    assert meter.of_run(timedelta(seconds=5), usual(None, None)) is None


@pytest.mark.parametrize(("share", "filled"), [(0, "0.0"), (0.257, "25.7"), (1, "100.0"), (1.5, "100.0")])
def test_a_share_fills_its_bar(share, filled):
    assert meter.of_share(share).filled == filled
