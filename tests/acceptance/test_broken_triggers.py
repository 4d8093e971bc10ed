"""A real runner with a trigger that breaks: its job says so once, all others go on, and it is mended like any other."""

import json
import signal
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from .conftest import Site

pytestmark = pytest.mark.timeout(300)
JOB = "Job.objects.get(command='first')"


@pytest.fixture
def breaking(site: Site) -> Site:
    """A site with a job that runs every second, and one whose trigger can be broken."""
    site.jobs = ("tick",)
    site.env["SITE_TRIGGERS"] = json.dumps({"first": "EachSecond"})
    site.manage("migrate", "-v0")
    site.start()
    site.wait(lambda: len(site.runs("first")) >= 2 and len(site.runs("tick")) >= 2)
    return site


def broken(site: Site) -> str:
    return site.query(f"{JOB}.broken")


def mails(site: Site) -> list[str]:
    """Return the subjects of the mails about the job."""
    texts = [file.read_text() for file in (site.folder / "mail").glob("*")]
    return [line for text in texts for line in text.splitlines() if line.startswith("Subject:") and ".first " in line]


def see_neighbour_in_time(site: Site, seconds: float) -> None:
    """Watch the healthy job for a while: no two runs of it are far from each other."""
    begun = time.time()
    time.sleep(seconds)
    times = [float(line.split()[1]) for line in site.trace() if line.startswith("tick ")]
    times = [begun, *(moment for moment in times if moment >= begun), time.time()]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) < 5, gaps


def restart(site: Site) -> None:
    assert site.stop(site.runners[-1]) == 0
    site.start()
    before = len(site.trace())
    site.wait(lambda: len(site.trace()) >= before + 2)


def test_a_trigger_that_raises_is_one_broken_job_one_mail_and_mended_at_a_restart(breaking):
    site = breaking
    (site.folder / "break").write_text("raise")
    site.wait(lambda: broken(site))
    assert "got ValueError: no such holiday" in broken(site)
    see_neighbour_in_time(site, 6)
    site.runners[-1].send_signal(signal.SIGHUP)  # it is asked again at once
    site.wait(lambda: mails(site))
    restart(site)
    site.manage("migrate", "-v0")
    see_neighbour_in_time(site, 4)
    assert len(mails(site)) == 1
    assert site.query("Run.objects.filter(status='failed').count()") == 1
    runs = len(site.runs("first"))
    (site.folder / "break").unlink()
    restart(site)
    site.wait(lambda: len(site.runs("first")) >= runs + 3)
    assert broken(site) == ""
    assert "tests.acceptance.site.first: its trigger answers again" in site.log(len(site.runners) - 1)
    assert all(runner.poll() in {None, 0} for runner in site.runners)


def test_a_trigger_that_gives_no_answer_is_set_aside_and_not_asked_at_the_next_start(breaking):
    site = breaking
    (site.folder / "break").write_text("sleep")
    site.wait(lambda: broken(site))
    assert "not asked again" in broken(site)
    see_neighbour_in_time(site, 4)
    (site.folder / "asked").write_text("")
    restart(site)
    see_neighbour_in_time(site, 4)
    assert (site.folder / "asked").read_text() == ""
    (site.folder / "break").unlink()
    site.script("Job.objects.get(command='first').save(); print(0)")
    runs = len(site.runs("first"))
    site.wait(lambda: len(site.runs("first")) >= runs + 2)
    assert broken(site) == ""


# Through the changes of the clock


STOCKHOLM = "timezone=Europe/Stockholm"
TIMED = {
    "tick": f"second=*/5 {STOCKHOLM}",
    "first": f"minute=*/20 {STOCKHOLM}",
    "failing": f"hour=2 minute=30 {STOCKHOLM}",
    "skipping": f"minute=5 {STOCKHOLM}",
}


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def set_clock(site: Site, text: str) -> None:
    (site.folder / "clock").write_text(str(moment(text) - time.time()))


def due(site: Site, job: str, since: str) -> list[str]:
    """Return the fire times of a job later than this moment, those that have been folded left out."""
    rows = f"Run.objects.filter(job__command={job!r}, cause='schedule').order_by('scheduled_for')"
    found = site.query(f"[f'{{run.scheduled_for:%Y-%m-%d %H:%M:%S}}' for run in {rows}]")
    return [text for text in found if text > since]


@pytest.mark.parametrize(
    ("begin", "steps", "expected"),
    [
        pytest.param(
            "2027-03-28 00:59:50",
            ("2027-03-28 01:04:55", "2027-03-28 01:19:55", "2027-03-28 01:29:55", "2027-03-28 01:39:55"),
            {
                "first": ["2027-03-28 01:00:00", "2027-03-28 01:20:00", "2027-03-28 01:40:00"],
                "failing": ["2027-03-28 01:30:00"],
                "skipping": ["2027-03-28 01:05:00"],
            },
            id="forward",
        ),
        pytest.param(
            "2026-10-25 00:29:55",
            (
                "2026-10-25 00:39:55",
                "2026-10-25 00:59:55",
                "2026-10-25 01:04:55",
                "2026-10-25 01:19:55",
                "2026-10-25 01:29:55",
                "2026-10-25 01:39:55",
            ),
            {
                "first": [f"2026-10-25 {at}:00" for at in ("00:40", "01:00", "01:20", "01:40")],
                "failing": ["2026-10-25 00:30:00"],
                "skipping": ["2026-10-25 01:05:00"],
            },
            id="back",
        ),
    ],
)
def test_a_real_runner_goes_through_a_change_of_the_clock(site, begin, steps, expected):
    site.jobs, site.env["SITE_CLOCK"] = ("tick", "first", "failing", "skipping"), "1"
    site.env["SITE_TRIGGERS"] = json.dumps(TIMED)
    set_clock(site, begin)
    moments = f"created_at='{begin}+00:00', owed_since=MomentField.EPOCH, next_run_at=None, schedule_key=''"
    site.script(f"from scheduler_bridge.models.fields import MomentField; Job.objects.update({moments}); print(0)")
    site.start()
    for step in steps:
        seen = len(due(site, "tick", begin))
        site.wait(lambda seen=seen: len(due(site, "tick", begin)) >= seen + 3, 60)
        set_clock(site, step)
    last = max(text for texts in expected.values() for text in texts)
    site.wait(lambda: any(last in due(site, job, begin) for job in expected), 60)
    assert {job: due(site, job, begin) for job in expected} == expected
    assert site.stop(site.runners[-1]) == 0
