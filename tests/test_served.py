import pytest

from scheduler_bridge.served import LATELY, Served


@pytest.mark.parametrize(
    ("run_id", "queue", "seconds", "is_to_come"),
    [(12, "reports", 1, True), (9, "reports", 1, False), (12, "mail", 1, False), (12, "reports", LATELY, False)],
    ids=["behind those at work", "passed over", "of another queue", "nobody at work for a while"],
)
def test_workers_come_to_a_run_that_waits_behind_what_they_do(run_id, queue, seconds, is_to_come):
    served = Served()
    for taken in (10, 8):
        served.saw("reports", taken, 100.0)
    assert served.has_yet_to_come_to(queue, run_id, 100.0 + seconds) is is_to_come
