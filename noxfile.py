"""What can be done with a checkout: ``nox -l`` lists it."""

import os
import shutil
import socket
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["demo"]
nox.options.default_venv_backend = "virtualenv"

ROOT = Path(__file__).resolve().parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
MATRIX = [
    ("3.11", "5.2"),
    ("3.12", "5.2"),
    ("3.12", "6.0"),
    ("3.12", "6.1"),
    ("3.13", "5.2"),
    ("3.13", "6.0"),
    ("3.13", "6.1"),
]
# What is done with real runners in both ways of starting jobs.
BOTH_WAYS = (
    "tests/acceptance/test_runner_process.py",
    "tests/acceptance/test_faults.py::test_a_signal_at_any_step_costs_nothing",
    "tests/acceptance/test_faults.py::test_a_power_cut_at_any_step_costs_nothing",
)
# What asks no database gives the same on each: it is tried once, on SQLite.
WITHOUT_A_DATABASE = (
    "tests/test_triggers.py",
    "tests/acceptance/test_child_process.py",
    "tests/acceptance/test_stack_and_usage.py",
)
ENGINES = (
    "tests/acceptance/test_engines.py",
    "tests/acceptance/test_engine_faults.py",
    "tests/acceptance/test_distributed_example.py",
)
# Tests of real processes wait more than they work; those of one file stay together, and the longest files come first.
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
NEEDED_BY_TESTS = ("tests", "examples", "pyproject.toml", "README.md", "LICENSE")
_built: list[Path] = []


@nox.session
def demo(session: nox.Session) -> None:
    """Run the example site with its runner until Ctrl-C; with CI set, until every kind of run was seen."""
    session.install(str(wheel(session)))
    env = {"SHOP_VAR": session.create_tmp()} if os.environ.get("CI") else {}
    # A running job gets some seconds to end: nox's own patience of half a second would cut that off.
    session.run("python", "examples/demo.py", env=env, interrupt_timeout=60, terminate_timeout=60)


@nox.session(name="demo-distributed")
def demo_distributed(session: nox.Session) -> None:
    """Run the example site with its heavy jobs on two workers of RQ until Ctrl-C; with CI set, as the demo does."""
    if not shutil.which("redis-server"):
        apt_install(session, "redis-server")
    session.install(f"scheduler-bridge[tasks] @ {wheel(session).resolve().as_uri()}", *groups("rq"))
    env = {"SHOP_VAR": session.create_tmp()} if os.environ.get("CI") else {}
    session.run("python", "examples/demo_distributed.py", env=env, interrupt_timeout=90, terminate_timeout=90)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests on SQLite against the built wheel; real runners without forks too; quick ones on an odd site too.

    The odd site has naive times and users of its own.
    """
    install(session, "test")
    run_tests(session, "-m", "not browser", *SIDE_BY_SIDE, *session.posargs)
    run_without_forks(session)
    run_odd(session)


@nox.session
def postgres(session: nox.Session) -> None:
    """Run the tests on the PostgreSQL server of this machine; quick ones on the odd site too.

    There the driver lets the server bind the parameters.
    """
    need_server(session, "PostgreSQL", "127.0.0.1", 5432)
    install(session, "test", "postgres")
    run_on_a_server(session, "postgres")
    run_without_forks(session, engine="postgres")
    run_odd(session, engine="postgres")


@nox.session
def mariadb(session: nox.Session) -> None:
    """Run the tests on the MariaDB server of this machine; real runners without forks too."""
    need_server(session, "MariaDB", "127.0.0.1", 3306)
    if not (shutil.which("mysql_config") or shutil.which("mariadb_config")):
        apt_install(session, "default-libmysqlclient-dev", "build-essential", "pkg-config")
    install(session, "test", "mariadb")
    run_on_a_server(session, "mariadb")
    run_without_forks(session, engine="mariadb")


@nox.session
def browser(session: nox.Session) -> None:
    """Walk the admin in Chromium."""
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        apt_install(session, "chromium")
    install(session, "test", "browser")
    session.env["SCREENSHOTS"] = str(ROOT / "examples" / "screenshots")
    run_tests(session, "-m", "browser", *session.posargs)


@nox.session
@nox.parametrize("python,django", MATRIX, ids=[f"python-{python}-django-{django}" for python, django in MATRIX])
def matrix(session: nox.Session, django: str) -> None:
    """Run the quick tests on SQLite with one Python and one Django; a Python that is missing fails only in CI."""
    install(session, "test")
    session.install(f"Django~={django}.0")
    # Fire times in all zones of the world take longest, and ask the Python's own zones, but no Django.
    known = [] if django == MATRIX[-1][1] else ["--ignore=tests/test_triggers.py"]
    run_tests(session, "-x", "-m", "not browser", "--ignore=tests/acceptance", *known, *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what scheduling costs, here and with its peers; ``-- --help`` says what can be chosen.

    The engines of the chapter "scale" cannot be installed beside all peers, so it is measured by ``-- --only scale``.
    """
    need_server(session, "PostgreSQL", "127.0.0.1", 5432)
    need_server(session, "Redis", "127.0.0.1", 6379)
    what = "scale" if session.posargs[:2] == ["--only", "scale"] else "bench"
    install(session, what, *(["mariadb"] if shutil.which("mariadb_config") else []))
    out = ["--out", str(Path(session.create_tmp()).resolve() / "results")]
    env = {"PYTHONPATH": str(copied(session).resolve())}
    session.chdir(session.invoked_from)  # a folder for the results is meant from there; -P keeps the checkout out
    session.run("python", "-P", "-m", "tests.benchmarks", *out, *session.posargs, env=env)


@nox.session
def chaos(session: nox.Session) -> None:
    """Put a site under strain on each database that is installed here, and audit it; ``-- --help`` says more."""
    mariadb = ["mariadb"] if shutil.which("mysql_config") or shutil.which("mariadb_config") else []
    engines = ["engines"] if any(word.startswith("--engine") for word in session.posargs) else []
    install(session, "test", "postgres", *mariadb, *engines)
    session.chdir(copied(session))
    session.run("python", "-m", "tests.chaos", *session.posargs)


@nox.session(python="3.12")
def engines(session: nox.Session) -> None:
    """Hand jobs over to real engines with four workers each, and break these; what is missing here is left out."""
    install(session, "test", "postgres", "engines")
    has_postgres = any(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    three_at_once = ("-n", "3", "--dist", "loadgroup")  # the tests of one engine share a site
    run_tests(session, *three_at_once, *ENGINES, *session.posargs, engine="postgres" if has_postgres else "sqlite")


@nox.session
def audit(session: nox.Session) -> None:
    """Ask whether a known weakness is in what this project depends on."""
    session.install("pip-audit>=2.9,<3")
    requirements = Path(session.create_tmp()) / "requirements.txt"
    requirements.write_text("\n".join(PROJECT["project"]["dependencies"]))
    session.run("pip-audit", "--strict", "--progress-spinner", "off", "-r", str(requirements))


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style of all Python files."""
    session.install(*groups("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.install(*PROJECT["project"]["dependencies"], *groups("types"))
    session.run("python", "-m", "mypy")


def groups(*names: str) -> tuple[str, ...]:
    return nox.project.dependency_groups(PROJECT, *names)


def wheel(session: nox.Session) -> Path:
    """Build the wheel, once for all sessions of one call."""
    if not _built:
        folder = Path(session.create_tmp()) / "wheel"
        shutil.rmtree(folder, ignore_errors=True)
        session.run_install("python", "-m", "pip", "-q", "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
        _built.extend(folder.glob("*.whl"))
    return _built[0]


def install(session: nox.Session, *names: str) -> None:
    session.install("--force-reinstall", "--no-deps", str(wheel(session)))
    session.install(str(wheel(session)), *groups(*names))


def run_tests(session: nox.Session, *arguments: str, engine: str = "sqlite") -> None:
    """Run pytest where there are the tests but no checkout, so that the package can only be the installed one."""
    session.chdir(copied(session))
    check = "import pathlib, scheduler_bridge as it; assert 'site-packages' in pathlib.Path(it.__file__).parts, it"
    session.run("python", "-c", check)
    env = {"DATABASE_ENGINE": engine}
    if engine != "sqlite":
        env["DATABASE_NAME"] = os.environ.get("DATABASE_NAME", "scheduler_bridge_nox")
    session.run("python", "-m", "pytest", "-q", "--durations=10", *arguments, env=env)


def run_on_a_server(session: nox.Session, engine: str) -> None:
    known = [f"--ignore={path}" for path in WITHOUT_A_DATABASE]
    run_tests(session, "-m", "not browser", *known, *SIDE_BY_SIDE, *session.posargs, engine=engine)


def run_odd(session: nox.Session, engine: str = "sqlite") -> None:
    session.env["ODD_SITE"] = "1"
    quick = ("-m", "not browser", "--ignore=tests/acceptance", "--ignore=tests/test_triggers.py", "-n", "2")
    run_tests(session, *quick, engine=engine)


def run_without_forks(session: nox.Session, engine: str = "sqlite") -> None:
    session.env["SITE_SPAWN"] = "exec"
    run_tests(session, *BOTH_WAYS, *SIDE_BY_SIDE, engine=engine)
    del session.env["SITE_SPAWN"]


def copied(session: nox.Session) -> Path:
    """Copy the tests to a place of their own."""
    place = Path(session.create_tmp()) / "place"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name in NEEDED_BY_TESTS:
        copy(ROOT / name, place / name)
    return place


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "var"))
    else:
        shutil.copy2(source, target)


def need_server(session: nox.Session, name: str, host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        session.skip(f"no {name} server answers on {host}:{port} ({error})")


def apt_install(session: nox.Session, *packages: str) -> None:
    """Install Debian's packages; for those who may not, say which ones are missing."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        session.error(f"install these packages first: {' '.join(packages)}")
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    session.run_install("apt-get", "-qq", "update", external=True, env=env)
    session.run_install("apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages, external=True, env=env)
