"""What can be done with a checkout: ``nox -l`` lists it."""

import fcntl
import hashlib
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["demo"]
nox.options.default_venv_backend = "uv|virtualenv"  # uv, where it is installed, makes an environment in a second
nox.options.download_python = "never"
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).resolve().parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
# Every Python and every Django once. Two of them on the odd site, which has naive times and users of its own: what the
# site is like and what it runs on are independent, and the ordinary site is tried by all other sessions.
MATRIX = [
    ("3.11", "5.2", "odd"),
    ("3.12", "6.0", "odd"),
    ("3.13", "6.1", "ordinary"),
]
ENGINES = (
    "tests/acceptance/test_engines.py",
    "tests/acceptance/test_engine_faults.py",
    "tests/acceptance/test_distributed_example.py",
)
# All but what has a session of its own.
MOST = ("-m", "not browser and not exec")
QUICK = ("-m", "not browser", "--ignore=tests/acceptance", "--ignore=tests/browser")
# What a driver does in real runners: jobs of both kinds, and the end of a connection.
SOME_RUNNERS = "psycopg2 or test_runner_process or test_live_output or at_any_step or outage_in_the_middle"
# Tests of real processes wait more than they work. The order, with the longest first, is that of tests/conftest.py.
TWO_FILES = ("-n", "2", "--dist", "loadscope")
SIDE_BY_SIDE = ("-n", "6", "--dist", "loadscope", "--no-loadscope-reorder")
NEEDED_BY_TESTS = ("tests", "examples", "pyproject.toml", "README.md", "LICENSE")
WHEEL_IS_MADE_OF = ("scheduler_bridge", "pyproject.toml", "README.md", "LICENSE")
KEPT = ROOT / ".nox"


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
    """Run the tests on SQLite against the built wheel."""
    install(session, "test")
    run_tests(session, *MOST, *SIDE_BY_SIDE, *session.posargs)


@nox.session(name="exec")
def exec_(session: nox.Session) -> None:
    """Run the tests that start each job as a new program, on SQLite."""
    install(session, "test")
    run_tests(session, "-m", "exec", "tests/acceptance", *SIDE_BY_SIDE, *session.posargs)


@nox.session
def postgres(session: nox.Session) -> None:
    """Run the tests that ask the database on the PostgreSQL server of this machine; the quick ones on the odd site too.

    There the driver lets the server bind the parameters.
    """
    need_server(session, "PostgreSQL", "127.0.0.1", 5432)
    if os.geteuid() == 0 and not shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"):
        apt_install(session, "pgbouncer", success_codes=(0, 100))  # its tests are skipped where there is none
    install(session, "test", "postgres")
    run_tests(session, *MOST, *SIDE_BY_SIDE, *session.posargs, engine="postgres")
    run_tests(session, *QUICK, *TWO_FILES, engine="postgres", site="odd")


@nox.session
def psycopg2(session: nox.Session) -> None:
    """Run the tests that ask the database with PostgreSQL's older driver: all quick ones, and some real runners."""
    need_server(session, "PostgreSQL", "127.0.0.1", 5432)
    install(session, "test", "psycopg2")
    older = {"engine": "postgres", "driver": "psycopg2"}
    run_tests(session, *QUICK, *TWO_FILES, *session.posargs, **older)
    run_tests(session, "-k", SOME_RUNNERS, "tests/acceptance", *SIDE_BY_SIDE, **older)


@nox.session
def mariadb(session: nox.Session) -> None:
    """Run the tests that ask the database on the MariaDB server of this machine."""
    need_server(session, "MariaDB", "127.0.0.1", 3306)
    if not (shutil.which("mysql_config") or shutil.which("mariadb_config")):
        apt_install(session, "default-libmysqlclient-dev", "build-essential", "pkg-config")
    install(session, "test", "mariadb")
    run_tests(session, *MOST, *SIDE_BY_SIDE, *session.posargs, engine="mariadb")


@nox.session
def browser(session: nox.Session) -> None:
    """Walk the admin in Chromium."""
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        apt_install(session, "chromium")
    install(session, "test", "browser")
    session.env["SCREENSHOTS"] = str(ROOT / "examples" / "screenshots")
    run_tests(session, "-m", "browser", "tests/browser", *TWO_FILES, *session.posargs)


@nox.session
@nox.parametrize("python,django,site", MATRIX, ids=[f"python-{cell[0]}-django-{cell[1]}" for cell in MATRIX])
def matrix(session: nox.Session, django: str, site: str) -> None:
    """Run the quick tests on SQLite with one Python and one Django; a Python that is missing fails only in CI."""
    install(session, "test", f"Django~={django}.0")
    run_tests(session, *QUICK, *TWO_FILES, *session.posargs, site=site)


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
    session.run("python", "-m", "tests.chaos", *session.posargs, env={"PYTHONDONTWRITEBYTECODE": ""})


@nox.session(python="3.12")
def engines(session: nox.Session) -> None:
    """Hand jobs over to real engines with four workers each, and break these; what is missing here is left out."""
    install(session, "test", "postgres", "engines")
    has_postgres = any(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    four_at_once = ("-n", "4", "--dist", "loadgroup")  # the tests of a file with one engine share a site
    run_tests(session, *four_at_once, *ENGINES, *session.posargs, engine="postgres" if has_postgres else "sqlite")


@nox.session(venv_backend="virtualenv")  # what is asked asks pip, which uv leaves out
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
    """Build the wheel, once for all sessions while what it is made of stays the same."""
    folder = KEPT / f"wheel-{fingerprint()}"
    with alone("wheel"):
        if not folder.exists():
            new = Path(session.create_tmp()).resolve() / "wheel"
            shutil.rmtree(new, ignore_errors=True)
            pip = (sys.executable, "-m", "pip", "-q", "wheel", "--no-deps", "--wheel-dir", str(new))
            uv = ("uv", "build", "-q", "--wheel", "--out-dir", str(new))
            session.run_install(*(pip if find_spec("pip") else uv), str(ROOT), external=True)
            new.rename(folder)
    return next(folder.glob("*.whl"))


def fingerprint() -> str:
    """Return a name for what the wheel is made of."""
    found = hashlib.sha256()
    for name in WHEEL_IS_MADE_OF:
        for path in sorted([ROOT / name, *(ROOT / name).rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return found.hexdigest()[:16]


def install(session: nox.Session, *names: str) -> None:
    """Install the wheel with what these groups name; what is no name of a group is a requirement."""
    known = [name for name in names if name in PROJECT["dependency-groups"]]
    session.install(str(wheel(session)), *groups(*known), *(name for name in names if name not in known))
    # A wheel of the same version may be there already, with other contents.
    session.install("--force-reinstall", "--no-deps", str(wheel(session)))


def run_tests(
    session: nox.Session,
    *arguments: str,
    engine: str = "sqlite",
    driver: str = "",
    site: str = "ordinary",
) -> None:
    """Run pytest where there are the tests but no checkout, so that the package can only be the installed one."""
    session.chdir(copied(session))
    check = "import pathlib, scheduler_bridge as it; assert 'site-packages' in pathlib.Path(it.__file__).parts, it"
    session.run("python", "-c", check)
    env = {"DATABASE_ENGINE": engine, "PYTHONDONTWRITEBYTECODE": ""}  # each of thousands of processes would compile
    if engine != "sqlite":
        env["DATABASE_NAME"] = os.environ.get("DATABASE_NAME", f"scheduler_bridge_{session.name}")
    env |= {"DATABASE_DRIVER": driver} if driver else {}
    env |= {"ODD_SITE": "1"} if site == "odd" else {}
    session.run("python", "-m", "pytest", "-q", "--durations=20", *arguments, env=env)


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


def apt_install(session: nox.Session, *packages: str, success_codes: tuple[int, ...] = (0,)) -> None:
    """Install Debian's packages; for those who may not, say which ones are missing."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        session.error(f"install these packages first: {' '.join(packages)}")
    apt = {"external": True, "env": {"DEBIAN_FRONTEND": "noninteractive"}, "success_codes": success_codes}
    with alone("apt"):
        session.run_install("apt-get", "-qq", "update", **apt)
        session.run_install("apt-get", "-qq", "install", "-y", "--no-install-recommends", *packages, **apt)


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Let other sessions that are run beside this one wait."""
    KEPT.mkdir(exist_ok=True)
    with (KEPT / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
