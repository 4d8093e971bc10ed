"""What a run inside the runner prints, read while it goes on."""

import os
import signal
import subprocess

from tests.settings import ENGINE


def begun(site) -> tuple[subprocess.Popen[str], int]:
    runner = site.start()
    number = site.query("api.run_now('tests.acceptance.site.talking').pk")
    site.wait(lambda: said(site, number) == ["running", "said at once\n"])
    return runner, number


def said(site, number: int) -> list[str]:
    return site.query(f"list(Run.objects.values_list('status', 'output').get(pk={number}))")


def test_it_is_read_while_the_job_goes_on_and_in_its_transaction_where_the_database_can(site):
    runner, number = begun(site)
    (site.folder / "heard").touch()
    whole = "said at once\nsaid in a transaction\n"
    if ENGINE != "sqlite":  # whose one file the job has locked
        site.wait(lambda: said(site, number) == ["running", whole])
    (site.folder / "heard again").touch()
    site.wait(lambda: said(site, number) == ["succeeded", whole])
    site.stop(runner)


def test_it_outlives_a_runner_that_is_killed(site):
    runner, number = begun(site)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    (site.folder / "heard").touch()
    other = site.start()
    site.wait(lambda: said(site, number) == ["abandoned", "said at once\n"])
    site.stop(other)
