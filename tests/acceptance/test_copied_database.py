"""A runner on a copy of the database, beside the runner of the original: on one machine, as one user."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from scheduler_bridge.lease import BEAT_IDLE, EXPIRES_AFTER
from scheduler_bridge.left_over import LEFT_ALONE
from tests.settings import ENGINE

from .conftest import Site, standing

pytestmark = pytest.mark.timeout(180)
DUMPS = {
    "postgres": ("pg_dump -h 127.0.0.1 -U postgres {}", "psql -qX -h 127.0.0.1 -U postgres {}"),
    "mariadb": ("mysqldump -h 127.0.0.1 -u root {}", "mysql -h 127.0.0.1 -u root {}"),
}
LASTS = 35.0  # seconds, in which a runner on the copy is started and takes over


@pytest.fixture
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Another site, whose database holds nothing until one is copied into it."""
    with standing(tmp_path_factory.mktemp("staging")) as site:
        yield site


def copy(original: Site, staging: Site) -> None:
    """Copy a database as it is now, with a runner on it."""
    names = [site.environment()["SITE_DATABASE"] for site in (original, staging)]
    if ENGINE == "sqlite":
        connection = sqlite3.connect(names[0])
        connection.execute("VACUUM INTO ?", names[1:])
        connection.close()
        return
    read, write = (words.format(name).split() for words, name in zip(DUMPS[ENGINE], names, strict=True))
    if not (shutil.which(read[0]) and shutil.which(write[0])):
        pytest.skip(f"{read[0]} or {write[0]} is not installed here")
    dump = subprocess.run(read, capture_output=True, check=True).stdout
    subprocess.run(write, input=dump, capture_output=True, check=True)


def holder(site: Site) -> int | None:
    return site.query("next(iter(Runner.objects.exclude(token='').values_list('pid', flat=True)), None)")


def start(site: Site) -> subprocess.Popen[str]:
    """Start a runner, and wait until it is the runner."""
    runner = site.start()
    site.wait(lambda: holder(site) == runner.pid)
    return runner


def test_a_runner_on_a_copy_waits_and_leaves_the_runner_of_the_original_alone(site, staging):
    runner = start(site)
    copy(site, staging)
    other = staging.start()
    said = f"process {runner.pid} of this machine is the runner by the table, but does not prove"
    staging.wait(lambda: said in staging.log())
    begun = time.monotonic()
    staging.wait(lambda: holder(staging) == other.pid)
    taken = time.monotonic() - begun
    assert EXPIRES_AFTER - 1 <= taken <= EXPIRES_AFTER + staging.at_once()
    assert (runner.poll(), other.poll()) == (None, None)
    assert staging.log().count(said) == 1
    assert f"process {runner.pid} was the runner by the table and gave no sign of life here" in staging.log()
    assert "was killed" not in staging.log()
    site.script("api.run_now('tests.acceptance.site.second'); print(0)")
    site.wait(lambda: site.runs("second") == [["succeeded"]])


def test_a_runner_on_a_copy_ends_no_job_of_the_original(site, staging):
    site.jobs, site.env["SITE_LASTS"] = ("long_outside",), str(LASTS)
    runner = start(site)
    site.wait(lambda: "outside begins" in " ".join(site.trace()))
    copy(site, staging)
    start(staging)
    warning = abandoned(staging)
    lines = warning.split("\n")
    assert all(line.startswith(f"{LEFT_ALONE}: ") for line in lines)
    alive = [line.removeprefix(f"{LEFT_ALONE}: ") for line in lines]
    assert any("long_outside" in words for words in alive)
    assert all(psutil.pid_exists(int(words.split()[0])) for words in alive)
    assert len(alive) >= 4  # the supervisor, the job, and what it has started
    site.wait(lambda: site.runs("long_outside")[0] != ["running"], LASTS + 20)
    assert site.runs("long_outside", "status", "reason", "exit_code")[0] == ["succeeded", "", 0]
    assert runner.poll() is None


def test_a_frozen_runner_of_this_very_database_is_killed_as_ever(site):
    runner = start(site)
    standby = site.start()
    site.wait(lambda: "standby" in site.log(1))
    assert "does not prove" not in site.log(1)
    runner.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    site.wait(lambda: holder(site) == standby.pid)
    taken = time.monotonic() - begun
    assert taken <= EXPIRES_AFTER + site.at_once()
    assert runner.wait(5) == -signal.SIGKILL
    assert f"process {runner.pid} was the runner and gave no sign of life, so it was killed" in site.log(1)


def test_what_a_killed_runner_of_this_very_database_left_is_ended_as_ever(site):
    site.jobs = ("long_outside",)
    runner = start(site)
    site.wait(lambda: "outside begins" in " ".join(site.trace()))
    standby = site.start()
    site.wait(lambda: "standby" in site.log(1))
    escaped = [process for process in psutil.Process(runner.pid).children(recursive=True) if process.name() == "sleep"]
    kill([process for process in below(runner.pid) if process not in escaped])
    begun = time.monotonic()
    site.wait(lambda: holder(site) == standby.pid)
    taken = time.monotonic() - begun
    assert taken <= site.at_once()
    warning = abandoned(site)
    assert all(f"{process.pid} sleep" in warning for process in escaped)
    assert "left alone" not in warning
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in escaped)


def abandoned(site: Site) -> str:
    """Wait until the first run of the long job is given up, and return its warning."""
    return site.wait(
        lambda: site.query("Run.objects.filter(status='abandoned').values_list('warning', flat=True).first()")
    )


def test_a_runner_whose_file_was_replaced_by_a_copy_ends(site, staging):
    if ENGINE != "sqlite":
        pytest.skip("it is a matter of files")
    runner = start(site)
    copy(site, staging)
    site.hang_up()
    os.replace(staging.environment()["SITE_DATABASE"], site.environment()["SITE_DATABASE"])
    assert runner.wait(BEAT_IDLE + 10) == 70
    assert "the file of the database was replaced" in site.log()


def below(pid: int) -> list[psutil.Process]:
    """Give this process, what watches over its jobs, and the jobs."""
    head = psutil.Process(pid)
    return [head, *head.children(recursive=True)]


def kill(processes: list[psutil.Process]) -> None:
    """Kill all of these before any of them can notice that another is gone."""
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in processes:
            os.kill(process.pid, number)
