from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from scheduler_bridge import timeline
from scheduler_bridge.forecast import Forecast, Load, Running, Start, Unstarted
from scheduler_bridge.models import Cause, Job, Run, Status
from scheduler_bridge.timeline import COLUMNS, SPANS, Block, Mark, Window, reading

SECOND = timedelta(seconds=1)


@pytest.fixture
def window(now):
    return Window.around(now, SPANS["1h"], now)


@pytest.fixture
def block(now):
    """A run of a job, due so many seconds after the present."""

    def block(due=0.0, waited=0.0, ran=1.0, *, job=1, status=Status.SUCCEEDED, **values):
        moment = now + timedelta(seconds=due)
        started = moment + timedelta(seconds=waited)
        times = {"due": moment, "last_due": moment, "started": started, "ended": started + timedelta(seconds=ran)}
        spans = {"waited": waited * SECOND, "longest": waited * SECOND, "ran": ran * SECOND}
        return Block(**{"job_id": job, "status": status, "run_id": 7, **times, **spans, **values})

    return block


def lay_out(window, done=(), to_come=(), names=None, **options):
    return timeline.lay_out(window, names or {1: "shop.one", 2: "shop.two"}, list(done), list(to_come), **options)


# The window


def test_the_present_is_the_middle_and_places_are_shares_of_the_width(window, now):
    assert (window.start, window.end) == (now - timedelta(minutes=30), now + timedelta(minutes=30))
    assert [window.place(now + timedelta(minutes=minutes)) for minutes in (-99, -30, -15, 0, 30, 99)] == [
        0,
        0,
        0.25,
        0.5,
        1,
        1,
    ]


@pytest.mark.parametrize("middle", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_window_at_the_ends_of_the_calendar_is_moved_to_where_it_can_be_told(middle, now):
    window = Window.around(middle, SPANS["7d"], now)
    assert window.span == SPANS["7d"]
    assert timeline.ticks(window, ZoneInfo("Pacific/Kiritimati"))


@pytest.mark.parametrize(("hours", "present", "is_past"), [(-3, "end", True), (0, "now", False), (3, "start", False)])
def test_what_has_happened_of_a_window_ends_with_it_at_the_latest(now, hours, present, is_past):
    window = Window.around(now + timedelta(hours=hours), SPANS["1h"], now)
    assert (window.present, window.is_past) == (getattr(window, present), is_past)


# The axis


def told(moment, span, zone="Europe/Stockholm", marks=(Mark.TIME, Mark.DAY, Mark.CLOCK)):
    ticks = timeline.ticks(Window.around(moment, SPANS[span], moment), ZoneInfo(zone))
    return [(tick.mark.value, f"{tick.local:%d %H:%M}") for tick in ticks if tick.mark in marks]


def test_hours_are_marked_as_clocks_show_them(now):
    assert told(now, "6h") == [("time", f"10 {hour}:00") for hour in range(11, 16)]
    assert told(now, "6h", "Asia/Kathmandu")[0] == ("time", "10 15:00")


def test_the_first_moment_of_a_day_is_marked_once(now):
    assert [mark for mark in told(now, "24h") if mark[0] == "day"] == [("day", "11 00:00")]
    assert told(now, "7d") == [("day", f"{day:02} 00:00") for day in range(8, 15)]


@pytest.mark.parametrize(
    ("moment", "change", "labels"),
    [
        (datetime(2026, 3, 29, 1, tzinfo=UTC), 1, ["01:00", "03:00", "04:00"]),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), -1, ["01:00", "02:00", "02:00", "03:00"]),
    ],
)
def test_a_change_of_the_clock_is_marked_where_it_happens(moment, change, labels):
    window = Window.around(moment, SPANS["6h"], moment)
    ticks = timeline.ticks(window, ZoneInfo("Europe/Stockholm"))
    (found,) = [tick for tick in ticks if tick.mark == Mark.CLOCK]
    assert (found.place, found.change) == (0.5, timedelta(hours=change))
    times = [f"{tick.local:%H:%M}" for tick in ticks if tick.mark == Mark.TIME]
    assert [time for time in times if time in labels] == labels
    assert "02:00" in times or change > 0


def test_a_day_that_begins_at_one_is_marked_at_one():
    change = datetime(2026, 9, 6, 4, tzinfo=UTC)  # in Santiago midnight is left out
    assert ("day", "06 01:00") in told(change, "6h", "America/Santiago")


def test_an_odd_offset_has_marks_at_full_hours_too(now):
    zone = timezone(timedelta(hours=1, minutes=7))
    ticks = timeline.ticks(Window.around(now, SPANS["6h"], now), zone)
    assert {tick.local.minute for tick in ticks if tick.mark == Mark.TIME} == {0}


# Blocks


def test_runs_that_are_due_within_one_column_become_one_block(window, block, now):
    close = [block(-60.0, 2, 1), block(-59.0, 5, 2), block(-59.5, 0, 1, status=Status.FAILED), block(-59, job=2)]
    found = sorted(timeline.merged([*close, block(-10)], window), key=lambda one: (one.job_id, str(one.status)))
    (failed, *_good, other) = found
    together = next(one for one in found if one.count == 2)
    assert len(found) == 4
    assert (failed.status, failed.count, other.job_id) == (Status.FAILED, 1, 2)
    assert (together.due, together.last_due) == (now - 60 * SECOND, now - 59 * SECOND)
    assert (together.waited, together.longest, together.ran) == (7 * SECOND, 5 * SECOND, 3 * SECOND)
    assert (together.started, together.ended) == (now - 58 * SECOND, now - 52 * SECOND)


def forecast(now, *starts, waiting=(), until=timedelta(hours=2)):
    return Forecast(starts=starts, waiting=waiting, until=now + until, busy=0.5, is_whole=True)


def start(now, due, begins, ends, **values):
    due, begins, ends = (now + seconds * SECOND for seconds in (due, begins, ends))
    given = {"job_id": 1, "name": "shop.one", "cause": Cause.SCHEDULE, "coalesced": 0, "behind": ()}
    return Start(**{**given, "due": due, "fire_time": due, "starts": begins, "ends": ends, **values})


def test_what_is_to_come_waits_from_its_due_time_and_takes_what_is_expected(window, now):
    later = start(now, 3000, 3000, 3001)
    found = forecast(now, start(now, -20, 40, 70, coalesced=2, behind=("shop.two",)), later)
    (coming,) = timeline.to_come(found, [], window)
    assert (coming.status, coming.waited, coming.ran) == (None, 60 * SECOND, 30 * SECOND)
    assert (coming.folded, coming.behind) == (2, ("shop.two",))


def test_of_what_runs_now_the_rest_is_to_come(window, now):
    running = Running(started=now - 60 * SECOND, ends=now + 9 * SECOND)
    load = Load(job_id=2, name="shop.two", stages=(), running=running)
    (coming,) = timeline.to_come(forecast(now), [load], window)
    assert (coming.job_id, coming.started, coming.ran, coming.waited) == (2, now, 9 * SECOND, timedelta(0))


def test_what_still_waits_at_the_end_of_the_forecast_is_shown_as_waiting(window, now):
    waiting = Unstarted(job_id=1, name="shop.one", cause=Cause.SCHEDULE, due=now + 60 * SECOND, behind=("shop.two",))
    (coming,) = timeline.to_come(forecast(now, waiting=(waiting,), until=timedelta(minutes=30)), [], window)
    assert (coming.started, coming.waited) == (None, timedelta(minutes=29))


# Strips


def test_jobs_that_fail_come_first_then_those_that_take_most_time(window, block):
    names = {1: "shop.short", 2: "shop.long", 3: "shop.failing", 4: "shop.planned", 5: "shop.nothing"}
    done = [block(-90, ran=5), block(-60, job=2, waited=50), block(-50, job=3, status=Status.TIMED_OUT)]
    page = lay_out(window, done, [block(60, job=4, ran=20, status=None)], names)
    assert [strip.name for strip in page.strips] == ["shop.failing", "shop.long", "shop.planned", "shop.short"]
    assert (page.found, page.quiet) == (4, 1)
    assert [strip.failed for strip in page.strips] == [1, 0, 0, 0]


def test_more_jobs_than_a_page_takes_are_on_the_next_one(window, block):
    names = {number: f"shop.job{number:03}" for number in range(130)}
    done = [block(-60, job=number, ran=200 - number) for number in names]
    pages = [lay_out(window, done, (), names, page=number) for number in (1, 2, 3)]
    assert [len(page.strips) for page in pages] == [50, 50, 30]
    assert [strip.job_id for page in pages for strip in page.strips] == list(names)
    assert lay_out(window, done, (), names, page=99).number == 3
    assert lay_out(window, done, (), names, page=0).number == 1


def test_a_wait_is_explained_by_the_runs_between_due_time_and_start(window, block):
    waiting = block(-60, waited=30)
    others = [block(-70, ran=15, job=2), block(-45, ran=10, job=3), block(-29, ran=9, job=4), block(-90, ran=5, job=5)]
    names = {1: "shop.waiting", 2: "shop.long", 3: "shop.second", 4: "shop.after", 5: "shop.before"}
    page = lay_out(window, [waiting, *others], (), names)
    (bar,) = next(strip for strip in page.strips if strip.job_id == 1).done.bars
    assert bar.behind == ("shop.long", "shop.second")


def test_a_run_that_did_not_wait_has_nothing_to_explain(window, block):
    page = lay_out(window, [block(-60, waited=0.5), block(-60, ran=0.4, job=2)])
    assert [bar.behind for strip in page.strips for bar in strip.done.bars] == [(), ()]


def test_a_strip_with_too_many_runs_becomes_a_profile_with_cells(window, block):
    done = [block(-second, ran=0.5) for second in range(2, 1700, 3)]
    (strip,) = lay_out(window, done).strips
    assert strip.done.bars == ()
    assert len(strip.done.cells) == 12
    assert sum(cell.count for cell in strip.done.cells) == strip.runs == len(done)
    assert all(cell.start <= cell.due <= cell.last_due <= cell.end for cell in strip.done.cells)


def test_many_strips_share_what_one_page_can_draw(window, block):
    names = {number: f"shop.job{number:02}" for number in range(60)}
    done = [block(-20 * minute, job=number) for number in names for minute in range(1, 80)]
    coming = [block(20 * minute, job=number, status=None) for number in names for minute in range(1, 80)]
    page = lay_out(window, done, coming, names)
    sides = [side for strip in page.strips for side in (strip.done, strip.to_come)]
    assert sum(len(side.bars) + len(side.cells) for side in sides) <= 550
    few = lay_out(window, done[:79], coming[:79], names)
    assert [len(few.strips[0].done.bars), len(few.strips[0].to_come.bars)] == [79, 79]


def profile_of(window, block, blocks):
    """Give the profile of these and of so many that took no time that they cannot have bars."""
    (strip,) = lay_out(window, [*blocks, *[block(-1700, ran=0)] * 600]).strips
    return strip.done.profile


def test_a_profile_tells_a_little_from_much_and_failures_from_the_rest(window, block):
    column = 3600 / COLUMNS
    little = block(-10 * column, ran=0.2 * column)
    much = block(-20 * column, ran=3 * column)
    failed = block(-40 * column, ran=column, status=Status.FAILED)
    skipped = block(-50 * column, status=Status.SKIPPED, started=None, ran=0)
    profile = profile_of(window, block, [little, much, failed, skipped])
    middle = COLUMNS // 2
    assert profile.ran[2] == ((middle - 20, 3),)
    assert (middle - 10, 1) in profile.ran[0]
    assert [first for first, _length in profile.failed] == [middle - 40]
    assert [first for first, _length in profile.skipped] == [middle - 50]


def test_a_profile_shows_long_waits_more_strongly_than_short_ones(window, block):
    column = 3600 / COLUMNS
    # One run that waits for five columns, and one that waits for a third of its column.
    profile = profile_of(
        window, block, [block(-30 * column, waited=5 * column), block(-60 * column, waited=column / 3)]
    )
    middle = COLUMNS // 2
    assert (middle - 60, 1) in profile.waited[0]
    assert (middle - 30, 5) in profile.waited[1]


def test_the_worker_is_as_busy_as_the_runs_took(window, block):
    done = [block(-1800 + 60 * minute, waited=30, ran=15, job=1 + minute % 2) for minute in range(30)]
    page = lay_out(window, done, [block(900, ran=450, status=None)])
    assert page.worker.share == pytest.approx(0.25, abs=0.01)
    assert page.worker.share_to_come == pytest.approx(0.25, abs=0.01)
    assert max(page.worker.done) <= 1


def test_the_worker_is_that_of_all_jobs_whichever_are_shown(window, block):
    done = [block(-1800, ran=900, job=2)]
    assert lay_out(window, done, (), {1: "shop.one"}).worker.share == pytest.approx(0.5, abs=0.01)


def test_a_run_whose_process_was_gone_does_not_make_the_worker_busy(window, block):
    page = lay_out(window, [block(-1800, ran=1700, status=Status.ABANDONED)])
    assert page.worker.share == 0
    assert page.strips[0].failed == 1


def test_what_lies_outside_the_window_does_not_count_for_the_worker(window, block):
    page = lay_out(window, [block(-9000, ran=7200 + 900)])
    assert page.worker.share == pytest.approx(0.5, abs=0.01)


def test_a_window_of_the_past_foretells_nothing_and_one_of_the_future_tells_nothing(now, block):
    past = lay_out(Window.around(now - timedelta(days=2), SPANS["1h"], now))
    future = lay_out(Window.around(now + timedelta(days=2), SPANS["1h"], now))
    assert (past.worker.share, past.worker.share_to_come) == (0, None)
    assert (future.worker.share, future.worker.share_to_come) == (None, 0)


# Reading


@pytest.fixture
def add(job, now):
    def add(due, started=None, ended=None, *, status=Status.SUCCEEDED, job=job, **values):
        moments = [None if seconds is None else now + seconds * SECOND for seconds in (due, started, ended)]
        times = dict(zip(("scheduled_for", "started_at", "finished_at"), moments, strict=True))
        return Run.objects.create(**{"job": job, "status": status, "cause": Cause.SCHEDULE, **times, **values})

    return add


def read(window, job):
    return timeline.read(window, [job.pk])


def test_a_run_is_read_with_its_waiting_and_running(window, add, job, now):
    run = add(-100, -88, -80.5, coalesced=2, reason="as usual")
    (block,) = read(window, job).blocks
    assert (block.run_id, block.job_id, block.status, block.count) == (run.pk, job.pk, Status.SUCCEEDED, 1)
    assert (block.due, block.started, block.ended) == tuple(now + s * SECOND for s in (-100, -88, -80.5))
    assert (round(block.waited.total_seconds(), 3), round(block.ran.total_seconds(), 3)) == (12.0, 7.5)
    assert (block.folded, block.reason) == (2, "as usual")


def test_the_database_puts_runs_of_one_column_together(window, add, job, now):
    for number in range(6):
        add(-100 + number / 10, -99 + number / 10, -98 + number / 10)
    add(-99.8, -90, -89, status=Status.FAILED)
    blocks = sorted(read(window, job).blocks, key=lambda block: -block.count)
    assert sum(block.count for block in blocks) == 7
    assert len(blocks) <= 3
    assert round(sum(block.ran.total_seconds() for block in blocks), 2) == 7.0
    assert round(max(block.longest.total_seconds() for block in blocks), 2) == 9.8


def test_what_waits_or_runs_counts_until_now(window, add, job):
    add(-300, -200, None, status=Status.RUNNING)
    add(-50, None, None, status=Status.QUEUED, cause=Cause.MANUAL)
    running, queued = sorted(read(window, job).blocks, key=lambda block: block.due)
    assert (running.waited, running.ran) == (100 * SECOND, 200 * SECOND)
    assert (queued.waited, queued.ran) == (50 * SECOND, timedelta(0))


def test_what_was_due_before_the_window_and_reaches_into_it_is_read(window, add, job, now):
    other = Job.objects.create(name="demo.other", app="demo", command="other")
    ran_into = add(-9000, -9000, -1700)
    waits = add(-90000, None, None, status=Status.QUEUED, cause=Cause.MANUAL, job=other)
    skips = add(-90000, None, -60, status=Status.SKIPPED, coalesced=700, job=other)
    add(-9000, -9000, -8000, job=other)
    found = timeline.read(window, [job.pk, other.pk]).blocks
    assert {block.run_id for block in found} == {ran_into.pk, waits.pk, skips.pk}
    assert next(block.skips for block in found if block.run_id == skips.pk) == 701


def test_what_is_due_behind_the_window_is_left_out(window, add, job):
    add(1801, None, None, status=Status.QUEUED, cause=Cause.MANUAL)
    add(-1801, -1801, -1800.5)
    assert read(window, job).blocks == ()


def test_too_many_runs_are_cut_from_the_old_end_and_it_is_said(window, add, job, now, monkeypatch):
    monkeypatch.setattr(reading, "LIMIT", 3)
    for due in range(-500, 0, 100):
        add(due, due, due + 1)
    found = read(window, job)
    assert sorted(block.due for block in found.blocks) == [now - s * SECOND for s in (300, 200, 100)]
    assert found.known_from == now - 300 * SECOND
    monkeypatch.setattr(reading, "LIMIT", 6)
    assert read(window, job).known_from == window.start


def test_reading_takes_as_many_statements_for_many_runs_as_for_few(window, add, job, django_assert_max_num_queries):
    for due in range(-1700, 0, 50):
        add(due, due + 1, due + 2)
    with django_assert_max_num_queries(4):
        assert len(read(window, job).blocks) == 34


def test_a_skip_is_counted_by_its_fire_times(window, add, job):
    add(-100, None, -10, status=Status.SKIPPED, coalesced=9, reason="no orders")
    (block,) = read(window, job).blocks
    assert (block.skips, block.ran, block.waited) == (10, timedelta(0), timedelta(0))


# What was handed over


def test_what_was_handed_over_does_not_make_the_worker_busy(window, block):
    page = lay_out(window, [block(-600, ran=300, is_away=True), block(-600, ran=150, job=2)])
    assert page.worker.share == pytest.approx(150 / 1800, rel=0.02)
    assert {strip.name: len(strip.done.bars) for strip in page.strips} == {"shop.one": 1, "shop.two": 1}


def test_a_wait_is_never_explained_by_what_was_handed_over_nor_that_by_others(window, block):
    blocks = [block(-600, ran=90, is_away=True), block(-590, 80, job=2), block(-580, 60, job=3, is_away=True)]
    page = lay_out(window, blocks, names={1: "shop.one", 2: "shop.two", 3: "shop.three"})
    assert [bar.behind for strip in page.strips for bar in strip.done.bars] == [(), (), ()]


def test_runs_are_read_with_whether_they_were_handed_over(window, add, job, now):
    add(-600, 0, 5)
    add(-600, 0, 9, queue="reports")
    add(-99999, 0, 99998, queue="reports")
    found = [(block.is_away, round(block.ran / SECOND)) for block in read(window, job).blocks]
    assert sorted(found) == [(False, 5), (True, 9), (True, 99998)]


def test_what_is_to_come_elsewhere_is_drawn_and_does_not_make_the_worker_busy(window, now):
    running = Running(started=now, ends=now + 60 * SECOND, is_away=True)
    found = forecast(now, start(now, 300, 300, 600, is_away=True))
    blocks = timeline.to_come(found, [Load(job_id=1, name="shop.one", running=running)], window)
    assert [(block.is_away, block.ran / SECOND) for block in blocks] == [(True, 60), (True, 300)]
    assert lay_out(window, to_come=blocks).worker.share_to_come == 0


def test_what_runs_is_read_however_many_wait(window, add, job, monkeypatch):
    monkeypatch.setattr(reading, "OPEN_LIMIT", 3)
    add(-9000, 0, 0, status=Status.RUNNING, queue="reports", started_at=window.start, finished_at=None)
    Run.objects.bulk_create(
        Run(job=job, status=Status.QUEUED, cause=Cause.SCHEDULE, queue="reports", scheduled_for=window.start - SECOND)
        for _ in range(9)
    )
    assert Status.RUNNING in {block.status for block in reading._open(window)}
