"""A site with a real database, and real runners on it."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import servers
from tests.engines.kinds import ENGINES
from tests.settings import ENGINE

from .engaged import Engaged, engaged
from .stage import Stage, staged

ROOT = Path(__file__).parents[2]
# The files whose tests wait for minutes in all.
LONGEST = (
    "test_child_process",
    "test_database_faults",
    "test_failover",
    "test_faults",
    "test_hosts",
    "test_job_faults",
    "test_runner_process",
    "test_world_faults",
)


@dataclass
class Site:
    folder: Path
    jobs: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    runners: list[subprocess.Popen[str]] = field(default_factory=list)
    answering: tuple[subprocess.Popen[str], dict[str, str]] | None = None  # the process, and its environment
    # A number of a process comes again: what a test that was killed left on a server must not be in the way.
    name: str = field(default_factory=lambda: f"sb_{os.getpid()}_{uuid.uuid4().hex[:8]}")

    def environment(self) -> dict[str, str]:
        name = str(self.folder / "site.sqlite3") if ENGINE == "sqlite" else self.name
        jobs = json.dumps([f"tests.acceptance.site.{job}" for job in self.jobs])
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.acceptance.site.settings",
            "PYTHONPATH": str(ROOT),
            "SITE_DATABASE": name,
            "SITE_FOLDER": str(self.folder),
            "SITE_JOBS": jobs,
            **self.env,
        }

    def manage(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "django", *words]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=90)
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done

    def start(self, *words: str, stdin: int | None = None) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "django", "runapscheduler", *words]
        with (self.folder / f"runner{len(self.runners)}.log").open("w") as log:
            runner = subprocess.Popen(command, env=self.environment(), stdin=stdin, stdout=log, stderr=log, text=True)
        self.runners.append(runner)
        return runner

    def log(self, number: int = 0) -> str:
        return (self.folder / f"runner{number}.log").read_text()

    def query(self, code: str) -> Any:
        """Evaluate an expression over the tables in another process."""
        asked = self._answering()
        asked.stdin.write(json.dumps(code) + "\n")
        asked.stdin.flush()
        answer = json.loads(asked.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _answering(self) -> subprocess.Popen[str]:
        environment = self.environment()
        if self.answering is None or self.answering[1] != environment:
            self.hang_up()
            command = [sys.executable, "-m", "tests.acceptance.site.answers"]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self.answering = subprocess.Popen(command, env=environment, text=True, **pipes), environment
        return self.answering[0]

    def hang_up(self) -> None:
        """End the process that answers."""
        if self.answering is not None:
            self.answering[0].communicate()
            self.answering = None

    def script(self, code: str) -> Any:
        """Execute a program that prints JSON, in a process of its own."""
        head = (
            "import json, django; django.setup()\n"
            "from scheduler_bridge.models import *; from scheduler_bridge import api\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", head + code],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def runs(self, job: str, *columns: str) -> list[list[Any]]:
        columns = columns or ("status",)
        rows = f"Run.objects.filter(job__command={job!r}).order_by('id')"
        return self.query(f"list({rows}.values_list({', '.join(map(repr, columns))}))")

    def trace(self) -> list[str]:
        path = self.folder / "trace"
        return path.read_text().split("\n")[:-1] if path.exists() else []  # the last line may not be whole yet

    def wait(self, what: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := what():
                return found
            time.sleep(0.1)
        raise AssertionError(f"waited {seconds} s in vain\n{self.log(len(self.runners) - 1)}")

    def at_once(self) -> float:
        """Give the seconds within which a process ends at once on this machine as it is now."""
        begun = time.monotonic()
        self.script("print(0)")
        return 2 + 3 * (time.monotonic() - begun)

    def stop(self, runner: subprocess.Popen[str], number: int = signal.SIGTERM, timeout: float = 30) -> int:
        runner.send_signal(number)
        return runner.wait(timeout)


@contextmanager
def standing(folder: Path, options: str = "") -> Iterator[Site]:
    """Give a site with a database of its own that holds nothing yet, and leave nothing of it.

    Args:
        options: what its database is created with.
    """
    site = Site(folder)
    _create(site, options)
    try:
        yield site
    finally:
        for runner in site.runners:
            if runner.poll() is None:
                runner.kill()
                runner.wait()
        site.hang_up()
        _drop(site)


@contextmanager
def on_database(folder: Path, options: str = "") -> Iterator[Site]:
    """Give a site whose database was created with these options."""
    with standing(folder, options) as site:
        site.manage("migrate", "-v0")
        yield site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with on_database(tmp_path) as site:
        yield site


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A site with two runners and a database of its own, on which every job has run."""
    if ENGINE not in servers.engines():
        pytest.skip(f"the programs of {ENGINE} are not installed here")
    with staged(tmp_path_factory.mktemp("site")) as stage:
        stage.see_all_run()
        yield stage


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest come first, whatever the order of the others, so that none is waited for."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Let all tests with one engine go to one process, where "loadgroup" is asked for: they share a site."""
    from xdist.scheduler import LoadScopeScheduling

    class ByEngine(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.rpartition("[")[2]

    return ByEngine(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.fixture(scope="session", params=ENGINES)
def _engaged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engaged]:
    """A site that hands its external jobs over to an engine; all tests with one engine share it."""
    if missing := ENGINES[request.param].missing():
        pytest.skip(f"{request.param}: {missing}")
    if ENGINE not in servers.engines():
        pytest.skip(f"the programs of {ENGINE} are not installed here")
    with engaged(tmp_path_factory.mktemp(request.param), request.param) as site:
        site.see_scheduled_run()
        yield site
        site.see_scheduled_run()
        assert site.harm() == ()


@pytest.fixture
def shop(_engaged: Engaged) -> Iterator[Engaged]:
    """The site with an engine, with everything at work."""
    yield _engaged
    _engaged.recover()


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Stage:
    """A stage whose runners take each other for processes of other machines."""
    monkeypatch.setenv("SITE_APART", "1")
    stage: Stage = request.getfixturevalue("stage")
    return stage


def _create(site: Site, options: str = "") -> None:
    _server(f"CREATE DATABASE {site.environment()['SITE_DATABASE']} {options}")


def _drop(site: Site) -> None:
    force = " WITH (FORCE)" if ENGINE == "postgres" else ""
    _server(f"DROP DATABASE {site.environment()['SITE_DATABASE']}{force}")


def _server(statement: str) -> None:
    if ENGINE == "postgres":
        import psycopg

        with psycopg.connect("host=127.0.0.1 user=postgres dbname=postgres", autocommit=True) as connection:
            connection.execute(statement.encode())
    elif ENGINE == "mariadb":
        import MySQLdb

        connection = MySQLdb.connect(host="127.0.0.1", user="root")
        connection.cursor().execute(statement)
        connection.close()
