"""The audit finds each kind of harm: evidence of a good window passes, and one thing wrong in it is named."""

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.chaos.keeper import FORGIVEN, LONGEST, Sampler

from .audit import audit
from .evidence import Change, Evidence, Execution, Mark, Row, Rule

BEGIN = datetime(2026, 3, 10, 12, tzinfo=UTC)
ORDERS, FIRST, SECOND = "shop.orders", "shop.first", "shop.second"


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def row(number: int, due: float, status: str = "succeeded", **values) -> Row:
    given = {
        "job": ORDERS,
        "cause": "schedule",
        "parent": None,
        "started_at": None if status == "skipped" else at(due),
        "finished_at": at(due + 1),
        "coalesced": 0,
        "marker": f"run{number}",
        "report": "",
        "is_postponed": False,
    }
    return Row(**{"id": number, "status": status, "scheduled_for": at(due), **given, **values})


def executed(job: str, number: int, start: float, end: float, last: str = "end", marker: str = "") -> tuple[Mark, Mark]:
    """Give what an execution wrote down; inside the runner it does not know its run."""
    known = {"job": job, "token": f"token{number}", "marker": marker}
    return Mark(word="start", moment=at(start), **known), Mark(word=last, moment=at(end), **known)


@pytest.fixture
def good() -> Evidence:
    """A job every ten seconds that once ran late, once failed and once had nothing to do; a chain asked for by hand."""
    rows = (
        row(1, 10),
        row(2, 30, coalesced=1),
        row(3, 40, "failed", report="sent"),
        row(4, 50, "skipped", coalesced=1),
        row(5, 52, job=FIRST, cause="manual"),
        row(6, 53, job=SECOND, cause="chain", parent=5, marker=""),
    )
    marks = (
        *executed(ORDERS, 1, 10.1, 10.5, marker="run1"),
        *executed(ORDERS, 2, 30.1, 30.5, marker="run2"),
        *executed(ORDERS, 3, 40.1, 40.2, "beat", marker="run3"),
        *executed(FIRST, 5, 52.1, 52.5, marker="run5"),
        *executed(SECOND, 6, 53.1, 53.5),
    )
    started = [item for item in rows if item.started_at]
    words = {"succeeded": "Executed", "failed": "Error!"}
    return Evidence(
        changes=(
            Change(job=ORDERS, asked=at(0), done=at(1), rule=Rule(every=timedelta(seconds=10))),
            Change(job=ORDERS, asked=at(64), done=at(65), rule=Rule()),
        ),
        rows=rows,
        marks=marks,
        ledger=tuple(Execution(job=i.job, fire_time=i.scheduled_for, status=words[i.status]) for i in started),
        transitions=tuple((item.id, "running", item.status) for item in started),
        mailed=(3,),
        asked=(5,),
        followers={FIRST: (SECOND,)},
    )


def with_row(evidence: Evidence, number: int, **values) -> Evidence:
    rows = tuple(replace(item, **values) if item.id == number else item for item in evidence.rows)
    return replace(evidence, rows=rows)


def without_row(evidence: Evidence, number: int) -> Evidence:
    return replace(evidence, rows=tuple(item for item in evidence.rows if item.id != number))


def broken(evidence: Evidence) -> set[str]:
    """Give the names of the promises that were broken."""
    return {line.partition(":")[0] for line in audit(evidence)}


def test_a_good_window_has_nothing_to_complain_about(good):
    assert audit(good) == ()


def test_a_fire_time_that_no_run_covers_is_found(good):
    assert "coverage" in broken(without_row(good, 1))
    assert "coverage" in broken(with_row(good, 2, coalesced=0))
    assert "coverage" in broken(with_row(good, 4, coalesced=0))


def test_a_fire_time_that_two_runs_cover_is_found(good):
    assert "coverage" in broken(with_row(good, 2, coalesced=2))
    doubled = replace(good, rows=(*good.rows, replace(good.rows[0], id=7, marker="run7", status="abandoned")))
    assert "coverage" in broken(doubled)


def test_a_run_at_another_time_is_found(good):
    assert "coverage" in broken(with_row(good, 2, scheduled_for=at(31)))


def test_a_job_that_never_ran_is_found(good):
    rows = tuple(item for item in good.rows if item.job != ORDERS)
    assert "coverage" in broken(replace(good, rows=rows))


def test_a_fire_time_in_the_middle_of_a_change_may_be_covered_or_not(good):
    changing = replace(good.changes[1], asked=at(59))
    changed = replace(good, changes=(good.changes[0], changing))
    assert audit(changed) == ()
    assert audit(with_row(changed, 4, coalesced=0)) == ()


def test_a_rule_that_changes_has_a_grid_of_its_own(good):
    twice = timedelta(seconds=20)
    changes = (good.changes[0], Change(job=ORDERS, asked=at(31), done=at(32), rule=Rule(every=twice)), good.changes[1])
    changed = with_row(with_row(good, 3, scheduled_for=at(50)), 4, scheduled_for=at(50), coalesced=0)
    changed = replace(without_row(changed, 4), changes=changes)
    assert "coverage" not in broken(changed)
    assert "coverage" in broken(with_row(changed, 3, coalesced=1))


@pytest.mark.parametrize(("asked", "is_in_time"), [(38, True), (33, False)])
def test_a_fire_time_of_the_rule_before_is_let_pass_for_a_moment_only(good, asked, is_in_time):
    slower = Rule(every=timedelta(seconds=14))
    change = Change(job=ORDERS, asked=at(asked), done=at(asked + 0.5), rule=slower)
    changed = with_row(without_row(good, 4), 3, coalesced=0)  # it runs at 40 by the rule before
    rows = (*changed.rows, row(7, 44), row(8, 58))  # and from 30 on by this one
    changed = replace(changed, changes=(good.changes[0], change, good.changes[1]), rows=rows)
    assert ("coverage" not in broken(changed)) == is_in_time


def test_a_rule_that_comes_back_goes_on_in_its_grid_though_a_skip_counts_what_was_due(good):
    off, on = (Change(job=ORDERS, asked=at(done - 0.5), done=at(done), rule=Rule()) for done in (42, 49))
    on = replace(on, rule=Rule(every=timedelta(seconds=10)))
    changed = replace(good, changes=(good.changes[0], off, on, replace(good.changes[1], asked=at(61))))
    changed = with_row(changed, 4, scheduled_for=at(50), coalesced=1)
    assert audit(changed) == ()
    assert "coverage" in broken(with_row(changed, 4, coalesced=3))


def test_a_rule_of_which_only_a_skip_may_tell_is_not_called_silent(good):
    first = replace(good.changes[0], rule=Rule(every=timedelta(seconds=10)))
    brief = Change(job=ORDERS, asked=at(52), done=at(52.5), rule=Rule(every=timedelta(seconds=7)))
    changed = replace(good, changes=(first, brief, good.changes[1]))
    assert not [line for line in audit(with_row(changed, 4, finished_at=at(63))) if "no run between" in line]
    assert [line for line in audit(with_row(changed, 4, finished_at=at(51))) if "no run between" in line]


def retimed(evidence: Evidence, asked: float, every: float, rows: tuple[Row, ...], off: float) -> Evidence:
    """Give a job that ran each ten seconds, had its interval changed then, and was switched off in the end."""
    change = Change(job=ORDERS, asked=at(asked), done=at(asked + 0.5), rule=Rule(every=timedelta(seconds=every)))
    end = Change(job=ORDERS, asked=at(off), done=at(off + 1), rule=Rule())
    return replace(evidence, changes=(evidence.changes[0], change, end), rows=rows)


def uncovered(evidence: Evidence) -> list[str]:
    return [line for line in audit(evidence) if line.startswith("coverage")]


@pytest.mark.parametrize("status", ["succeeded", "skipped"])
def test_a_rule_whose_first_run_comes_while_all_is_switched_off_has_its_grid(good, status):
    rows = (row(1, 10), row(2, 16.5, status))
    assert uncovered(retimed(good, 14, 6.5, rows, off=16)) == []
    assert uncovered(retimed(good, 14, 6.5, (row(1, 10), row(2, 16.5, status, coalesced=1)), off=16))
    late = (row(1, 10), row(2, 28.5, coalesced=4))  # nobody could run it from the change on
    assert uncovered(retimed(good, 18, 2, late, off=28)) == []
    assert uncovered(retimed(good, 18, 2, (row(1, 10), row(2, 28.5)), off=28))


def test_a_rule_whose_only_run_may_be_one_of_the_rule_before_is_not_called_silent(good):
    rows = (row(1, 10), row(2, 20), row(3, 30), row(4, 40))
    assert uncovered(retimed(good, 36, 20, rows, off=59)) == []
    assert uncovered(retimed(good, 36, 20, rows, off=61))  # the run at sixty is missing


def test_fire_times_that_only_a_skip_counts_are_let_pass_as_far_as_the_rule_has_them(good):
    skipped = row(2, 20, "skipped", coalesced=4, finished_at=at(46))  # of 30, then 36, 41 and 46
    changed = retimed(good, 31, 5, (row(1, 10), skipped), off=48)
    assert uncovered(changed) == []
    assert uncovered(replace(changed, rows=(row(1, 10), replace(skipped, coalesced=9))))


def test_a_run_of_the_next_rule_may_count_what_a_rule_before_it_has_left(good):
    brief = Change(job=ORDERS, asked=at(11), done=at(11.5), rule=Rule(every=timedelta(seconds=2)))
    slower = Change(job=ORDERS, asked=at(17), done=at(17.5), rule=Rule(every=timedelta(seconds=15)))
    end = Change(job=ORDERS, asked=at(45), done=at(46), rule=Rule())
    rows = (row(1, 10), row(2, 25, coalesced=3), row(3, 40))  # of 12, 14 and 16
    changed = replace(good, changes=(good.changes[0], brief, slower, end), rows=rows)
    assert uncovered(changed) == []
    assert uncovered(replace(changed, rows=(row(1, 10), row(2, 25), row(3, 40))))


def test_times_of_day_are_known_one_by_one(good):
    rule = Rule(at=(at(10), at(20), at(30), at(40), at(50), at(60)))
    assert audit(replace(good, changes=(replace(good.changes[0], rule=rule), good.changes[1]))) == ()
    fewer = replace(good.changes[0], rule=Rule(at=rule.at[1:]))
    assert "coverage" in broken(replace(good, changes=(fewer, good.changes[1])))


def test_a_row_that_stays_open_is_found(good):
    assert "open_rows" in broken(with_row(good, 5, status="running"))


def test_a_run_that_is_closed_twice_or_opened_again_is_found(good):
    assert "doubles" in broken(replace(good, transitions=(*good.transitions, (1, "running", "abandoned"))))
    assert "doubles" in broken(replace(good, transitions=(*good.transitions, (1, "succeeded", "running"))))


def test_an_execution_without_a_row_is_found(good):
    assert "executions" in broken(replace(good, marks=(*good.marks, *executed(ORDERS, 8, 15, 16, marker="run8"))))
    assert "executions" in broken(replace(good, marks=(*good.marks, *executed(SECOND, 8, 15, 16))))


def test_a_run_that_was_executed_twice_or_not_to_its_end_is_found(good):
    assert "executions" in broken(replace(good, marks=(*good.marks, *executed(ORDERS, 8, 15, 16, marker="run1"))))
    assert "executions" in broken(replace(good, marks=good.marks[2:]))
    assert "executions" in broken(with_row(good, 3, status="succeeded"))


def test_a_skipped_run_that_was_executed_is_found(good):
    marks = executed(ORDERS, 8, 50.1, 50.2, marker="run4")
    assert "executions" in broken(replace(good, marks=(*good.marks, *marks)))


def test_two_jobs_at_once_are_found(good):
    marks = tuple(
        replace(mark, moment=at(53.3)) if mark.token == "token5" and mark.word == "end" else mark for mark in good.marks
    )
    assert "overlaps" in broken(replace(good, marks=marks))


def test_a_run_of_an_engines_worker_may_go_on_beside_the_runners_own_but_not_beside_one_of_its_job(good):
    worker = {"status": "succeeded", "cause": "manual", "queue": "reports"}
    beside = replace(good, rows=(*good.rows, row(7, 52, job=SECOND, **worker)), asked=(5, 7))
    marks = executed(SECOND, 7, 52.2, 52.9, marker="run7")
    ledger = (*good.ledger, Execution(job=SECOND, fire_time=at(52), status="Executed"))
    beside = replace(beside, marks=(*good.marks, *marks), ledger=ledger)
    assert audit(beside) == ()
    late = tuple(replace(mark, moment=at(53.3)) if mark.word == "end" else mark for mark in marks)
    assert broken(replace(beside, marks=(*good.marks, *late))) == {"overlaps"}
    assert "overlaps" in broken(with_row(beside, 7, queue=""))


def test_a_failure_without_its_mail_is_found_unless_the_mail_is_to_be_tried_again(good):
    unsent = replace(good, mailed=())
    assert "mails" in broken(unsent)
    assert audit(with_row(unsent, 3, is_postponed=True)) == ()


def test_a_ledger_that_says_something_else_is_found(good):
    assert "ledger" in broken(replace(good, ledger=good.ledger[1:]))
    assert "ledger" in broken(replace(good, ledger=(replace(good.ledger[0], status="Error!"), *good.ledger[1:])))
    assert "ledger" in broken(replace(good, ledger=(replace(good.ledger[0], job="shop.gone"), *good.ledger[1:])))


def test_a_chain_that_is_torn_or_doubled_is_found(good):
    assert "chains" in broken(without_row(good, 6))
    assert "chains" in broken(replace(good, rows=(*good.rows, replace(good.rows[5], id=7))))
    assert "chains" in broken(with_row(good, 6, parent=3))


def test_a_run_that_was_asked_for_and_is_gone_is_found(good):
    assert "asked_for" in broken(replace(good, asked=(5, 99)))


def test_a_process_that_is_left_is_found(good):
    assert "left_over" in broken(replace(good, processes=("4711 sleep",)))


def test_a_run_that_only_says_it_is_running_is_found(tmp_path):
    sampler = Sampler(tmp_path, list)
    for running, now in (({"a", "b"}, 0.0), ({"b"}, 20.0), ({"a", "b"}, LONGEST)):
        sampler.look(running, now)
    assert sampler.found == set()
    sampler.look({"a", "b"}, LONGEST + 1)
    assert [line.split()[:2] for line in sampler.found] == [["run", "b"]]


def test_a_process_of_a_run_that_is_not_running_is_found(tmp_path):
    sampler = Sampler(tmp_path, list)
    environment = {**os.environ, "SITE_FOLDER": str(tmp_path), "SCHEDULER_BRIDGE_RUN": "a"}
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        for running, now in (({"a"}, 0.0), (set(), 10.0), (set(), 10.0 + FORGIVEN)):
            sampler.look(running, now)
        assert sampler.found == set()
        sampler.look(set(), 11.0 + FORGIVEN)
        process.kill()
    assert [line.split()[:4] for line in sampler.found] == [["process", str(process.pid), "of", "a"]]
