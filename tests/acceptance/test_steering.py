"""What people ask of a running runner: end a run, leave one out, go on by itself at a moment they named."""

import pytest

from .test_runner_process import leftovers

pytestmark = pytest.mark.timeout(180)
TIMEDELTA = "__import__('datetime').timedelta"


@pytest.mark.parametrize("spawn", ["auto", pytest.param("exec", marks=pytest.mark.once)])
def test_a_running_run_is_ended_with_all_its_processes_when_somebody_cancels_it(site, spawn):
    site.jobs, site.env["SITE_SPAWN"] = ("long_outside",), spawn
    runner = site.start()
    site.wait(lambda: site.trace() and len(leftovers(site.folder)) >= 3)
    (number,) = site.query("list(Run.objects.filter(status='running').values_list('pk', flat=True))")
    assert site.query(f"str(api.cancel({number}, by='alice'))") == "running"
    site.wait(lambda: site.query(f"Run.objects.get(pk={number}).status") == "cancelled")
    # As the site noted it: a look from here takes as long as it takes to load a project.
    rows = f"Run.objects.filter(pk={number})"
    (seconds,) = site.query(f"[(run.finished_at - run.cancel_at).total_seconds() for run in {rows}]")
    assert 0 <= seconds < 10
    status, reason, output = site.runs("long_outside", "status", "reason", "output")[0]
    assert (status, reason) == ("cancelled", "cancelled by alice")
    assert output.startswith("begins\n")
    assert "sleep 61" in output
    site.wait(lambda: site.query("Run.objects.filter(status='running').count()"))  # the next one is not ended too
    site.stop(runner)


def test_a_fire_time_that_is_left_out_is_recorded_as_skipped_and_the_next_one_runs(site):
    # So far apart that none is folded into the next one where the runner is late by a second.
    site.query(f"Job.objects.filter(command='tick').update(override_interval={TIMEDELTA}(seconds=3))")
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(lambda: len(site.trace()) >= 2)
    left_out = site.query("str(api.skip_next('tests.acceptance.site.tick', by='alice'))")
    site.wait(lambda: ["skipped"] in site.runs("tick"))
    count = len(site.trace())
    site.wait(lambda: len(site.trace()) >= count + 2)
    site.stop(runner)
    skipped = site.query(
        "list(Run.objects.filter(status='skipped').values_list('scheduled_for', 'reason', 'coalesced'))"
    )
    assert skipped == [[left_out, "left out, as alice asked", 0]]


def test_a_hold_that_ends_by_itself_lets_the_runner_go_on(site):
    site.jobs = ("tick",)
    runner = site.start()
    site.wait(site.trace)
    until = f"__import__('datetime').datetime.now(__import__('datetime').UTC) + {TIMEDELTA}(seconds=4)"
    # Seen at once: the hold may be over when a second process has loaded the project.
    assert site.query(f"(api.hold('stocktaking', until={until}), Runner.objects.get().held)[1]")
    count = len(site.trace())
    site.wait(lambda: len(site.trace()) >= count + 3)
    assert not site.query("Runner.objects.get().held")
    assert "the hold has ended" in site.log()
    site.stop(runner)
