import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import scheduler_bridge
from scheduler_bridge.conf import Settings
from scheduler_bridge.runner import EXIT_OUTDATED

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
UNIT = EXAMPLES / "scheduler-bridge.service"
WORKERS_UNIT = EXAMPLES / "scheduler-bridge-worker@.service"

LOOK = """
import json
import django
from django.core.management import call_command, get_commands, load_command_class
from scheduler_bridge.definition import define
django.setup()
call_command("check", fail_level="WARNING", verbosity=0)
call_command("makemigrations", check=True, dry_run=True, verbosity=0)
jobs = {}
for command, app in get_commands().items():
    if app in {"shop", "heavy"}:
        job = define(app, command, type(load_command_class(app, command)))
        if job is not None:
            jobs[command] = {
                "schedule": type(job.schedule).__name__,
                "next": job.next_jobs,
                "internal": job.internal,
                "queue": job.queue,
                "asks": job.should_run is not None,
                "problems": [problem.text for problem in job.problems],
            }
print(json.dumps(jobs))
"""


def look(folder: Path, **values: str) -> dict:
    """Give what the code of the example defines, seen from a process of its own: its models stay out of this one."""
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "shop_site.settings",
        "SHOP_VAR": str(folder),
        "PYTHONPATH": str(Path(scheduler_bridge.__file__).resolve().parent.parent),
        **values,
    }
    result = subprocess.run([sys.executable, "-c", LOOK], cwd=EXAMPLES, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    return look(tmp_path_factory.mktemp("var"))


def test_every_job_of_the_example_is_sound(jobs):
    assert {name: job["problems"] for name, job in jobs.items()} == {key: [] for key in jobs}


def test_the_example_shows_every_kind_of_schedule(jobs):
    assert {name: job["schedule"] for name, job in jobs.items()} == {
        "import_orders": "Interval",
        "match_payments": "Manual",
        "send_reminders": "Interval",
        "sales_report": "DailyTimes",
        "failing_stock_check": "Interval",
        "hanging_rate_update": "Interval",
    }


def test_the_import_is_followed_by_the_matching(jobs):
    assert jobs["import_orders"]["next"] == ["shop.match_payments"]


def test_the_example_has_jobs_inside_and_outside_the_runner(jobs):
    assert {name for name, job in jobs.items() if not job["internal"]} == {"import_orders", "hanging_rate_update"}


def test_the_reminders_ask_before_they_run(jobs):
    assert jobs["send_reminders"]["asks"]


@pytest.mark.skipif(find_spec("django_tasks_rq") is None, reason="django-tasks-rq is not installed")
def test_the_heavy_jobs_have_a_queue_and_what_follows_them_has_none(tmp_path):
    found = look(tmp_path, SHOP_REDIS="redis://127.0.0.1:1/0")
    assert {name: job["problems"] for name, job in found.items()} == {key: [] for key in found}
    assert {name for name, job in found.items() if job["queue"] == "reports"} == {"yearly_figures", "failing_forecast"}
    assert found["yearly_figures"]["next"] == ["heavy.publish_figures"]
    assert found["publish_figures"]["internal"]


def service(unit: Path = UNIT) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(unit.read_text(encoding="utf-8"))
    return parser["Service"]


def test_the_unit_of_the_workers_lets_them_finish_their_runs():
    assert service(WORKERS_UNIT)["KillMode"] == "mixed"
    assert int(service(WORKERS_UNIT)["TimeoutStopSec"]) > int(service()["TimeoutStopSec"])


def test_the_unit_gives_a_stopping_runner_its_grace():
    defaults = Settings()
    needed = (defaults.stop_grace + defaults.kill_after).total_seconds()
    assert int(service()["TimeoutStopSec"]) > needed + 5
    assert service()["KillMode"] == "mixed"


def test_the_unit_takes_the_exit_for_newer_code_as_no_failure():
    assert service()["SuccessExitStatus"] == str(EXIT_OUTDATED)
    assert service()["Restart"] == "always"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", [UNIT, WORKERS_UNIT], ids=["runner", "worker"])
def test_systemd_accepts_the_unit(tmp_path, unit):
    text = unit.read_text(encoding="utf-8").replace("/srv/shop/venv/bin/python", sys.executable)
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE), encoding="utf-8")
    result = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True)
    complaints = [line for line in result.stderr.splitlines() if str(copy) in line or unit.name in line]
    assert (result.returncode, complaints) == (0, [])


def test_the_readme_opens_with_the_two_lines():
    lines = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line][:4]
    assert lines[2:] == [
        "python3 -m venv .venv && .venv/bin/pip -q install nox && .venv/bin/nox -s demo",
        ".venv/bin/nox -s tests",
    ]
