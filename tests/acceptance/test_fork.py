"""A job that is forked cannot tell that from a program started for it alone."""

import gc
import json
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from scheduler_bridge.execution import child_process
from scheduler_bridge.execution.origin import Origin
from scheduler_bridge.execution.spawner import Spawner
from scheduler_bridge.models import Status
from tests.acceptance.test_child_process import SPEC, gone, kill_supervisors, wait
from tests.settings import ENGINE

FROZEN = gc.get_freeze_count()  # what Python itself freezes; a launcher freezes all there is before it forks
LOOK = """
import atexit, gc, io, json, locale, logging, os, random, resource, signal, sys, tempfile, threading, time, warnings
from django.db import connections
from django.utils import timezone, translation
from scheduler_bridge.execution.mark import MARKER
own = {"LINES", "COLUMNS", MARKER}
main = sys.modules["__main__"]
print(json.dumps({
    "argv": sys.argv,
    "orig_argv": sys.orig_argv,
    "executable": sys.executable,
    "flags": str(sys.flags),
    "path": sys.path,
    "warnings": sys.warnoptions,
    "main": [main.__name__, main.__file__],
    "cwd": os.getcwd(),
    "environment": {name: value for name, value in sorted(os.environ.items()) if name not in own},
    "marker": os.environ[MARKER],
    "leads its session": os.getsid(0) == os.getpid() == os.getpgid(0),
    "parent": open(f"/proc/{os.getppid()}/cmdline").read().rstrip(chr(0)).split(chr(0))[:3],
    "command line": open("/proc/self/cmdline").read().rstrip(chr(0)).split(chr(0))[:5],
    "shown mark": [w for w in open("/proc/self/environ").read().split(chr(0)) if w.startswith(MARKER)],
    "umask": os.umask(0),
    "signals": {str(n): str(signal.getsignal(n)).split(" at ")[0] for n in sorted(signal.valid_signals())},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "wakeup": signal.set_wakeup_fd(-1),
    "descriptors": sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")),
    "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through, s.isatty(), s.fileno()]
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "threads": [threading.active_count(), len(os.listdir("/proc/self/task")), threading.current_thread().name],
    "handlers": [[type(h).__name__, getattr(getattr(h, "stream", None), "name", "")]
                 for name in ("", "django", "django.server") for h in logging.getLogger(name).handlers],
    "connections": [c.connection is None for c in connections.all(initialized_only=True)],
    "language": translation.get_language(),
    "zone": timezone.get_current_timezone_name(),
    "locale": locale.setlocale(locale.LC_ALL),
    "limits": [resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_AS)],
    "nice": os.nice(0),
    "recursion": sys.getrecursionlimit(),
    "gc": [gc.isenabled(), gc.get_threshold()],
    "hook": sys.excepthook is sys.__excepthook__,
}, default=str))
"""
UNORDERLY = """
import atexit, sys, threading, time, tempfile, weakref
kept = open({path!r}, "w"); kept.write("not closed"); globals_of = sys.modules["__main__"].__dict__
globals_of["kept_for_the_end"] = kept
atexit.register(print, "at exit")
class Late: pass
late = globals_of["late"] = Late()
weakref.finalize(late, print, "finalized")
def go_on():
    time.sleep(0.3); print("thread done")
sys.stdout.write("no line end")
threading.Thread(target=go_on).start()
"""


@pytest.fixture(scope="module")
def both():
    spawners = {way: Spawner(Origin.from_process(), way) for way in ("exec", "auto")}
    yield spawners
    for spawner in spawners.values():
        spawner.close()


def execute(spawner, code, **changes):
    spec = replace(SPEC, **{"args": (code,), "marker": f"of-a-test-{os.getpid()}", **changes})
    return child_process.run(spec, spawner, on_output=lambda text: None, stop=lambda: None)


def was_forked(spawner) -> bool:
    outcome = execute(spawner, "import gc; print(gc.get_freeze_count())")
    assert outcome.status == Status.SUCCEEDED, outcome.output
    return int(outcome.output) > FROZEN


def test_one_way_forks_and_the_other_does_not(both):
    assert {way: was_forked(spawner) for way, spawner in both.items()} == {"exec": False, "auto": True}


def test_a_job_sees_the_same_world(both):
    worlds = {way: json.loads(execute(spawner, LOOK).output) for way, spawner in both.items()}
    assert worlds["auto"] == worlds["exec"]
    assert worlds["auto"]["leads its session"]
    assert worlds["auto"]["descriptors"] == [0, 1, 2]


def test_a_job_ends_as_python_ends(both, tmp_path):
    texts = {}
    for way, spawner in both.items():
        path = tmp_path / way
        texts[way] = sorted(execute(spawner, UNORDERLY.format(path=str(path))).output.splitlines()), path.read_text()
    assert texts["auto"] == texts["exec"] == (["at exit", "finalized", "no line endthread done"], "not closed")


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError('broken')",
        "from django.core.management import CommandError; raise CommandError('no', returncode=4)",
        "import sys; sys.exit('a text')",
        "import os; os._exit(9)",
        "raise KeyboardInterrupt",
        "import sys; sys.stdout.close()",
        "import sys; sys.excepthook = lambda *found: print('hooked', found[1]); raise ValueError('x')",
        "import atexit; atexit.register(divmod, 1, 0)",
        "import warnings; warnings.warn('careful')",
        "import logging; logging.getLogger('shop').warning('careful')",
    ],
)
def test_a_bad_end_is_the_same_and_is_shown_alike(both, code):
    outcomes = {way: execute(spawner, code) for way, spawner in both.items()}
    assert outcomes["auto"].exit_code == outcomes["exec"].exit_code
    assert without_our_frames(outcomes["auto"].output) == without_our_frames(outcomes["exec"].output)
    assert outcomes["auto"].reason == outcomes["exec"].reason


def without_our_frames(text: str) -> list[str]:
    """Leave out the frames of manage.py and runpy, which only a new program has, and of a fork's last steps."""
    lines = text.splitlines()
    if "atexit" in text:
        return [lines[0], lines[-1]]
    inside = [number for number, line in enumerate(lines) if "core/management/__init__.py" in line]
    return lines[:1] + lines[inside[0] :] if inside else lines


def test_chance_and_time_zone_are_not_shared(both):
    code = "import random, uuid, tempfile, secrets; print(random.random(), uuid.uuid4(), tempfile.mktemp())"
    assert len({execute(both["auto"], code).output for _ in range(3)}) == 3


@pytest.mark.skipif(ENGINE != "postgres", reason="asks PostgreSQL for its process")
def test_each_job_has_a_connection_of_its_own(both):
    code = (
        "from django.db import connections, connection\n"
        "settings = connection.settings_dict; settings['NAME'] = 'postgres'\n"
        "with connection.cursor() as cursor:\n"
        "    cursor.execute('select pg_backend_pid()'); print(cursor.fetchone()[0])"
    )
    assert len({execute(both["auto"], code).output for _ in range(3)}) == 3


def test_the_same_lines_are_covered(tmp_path):
    coverage = pytest.importorskip("coverage")
    covered = {}
    for way in ("exec", "auto"):
        folder = tmp_path / way
        folder.mkdir()
        rc = folder / "rc"
        source = Path(__file__).parents[1] / "demo" / "management" / "commands" / "probe_exit.py"
        rc.write_text(f"[run]\nparallel = true\ndata_file = {folder}/data\ninclude = {source}\n")
        (folder / "sitecustomize.py").write_text("import coverage; coverage.process_startup()\n")
        origin = Origin.from_process()
        environment = {**origin.environment, "COVERAGE_PROCESS_START": str(rc)}
        environment["PYTHONPATH"] = os.pathsep.join([str(folder), environment["PYTHONPATH"]])
        spawner = Spawner(replace(origin, environment=environment), way)
        assert execute(spawner, "", command="probe_exit", args=("return",)).exit_code == 0
        spawner.close()
        found = coverage.Coverage(data_file=str(folder / "data"), config_file=str(rc))
        found.combine([str(folder)])
        covered[way] = sorted(found.get_data().lines(str(source)))
    assert covered["auto"] == covered["exec"]
    assert covered["auto"]


def test_a_killed_launcher_costs_no_run_and_is_replaced(both):
    spawner = both["auto"]
    before = launcher_of(spawner)

    def kill(text: str) -> None:
        os.kill(before, signal.SIGKILL)

    code = "import time; print('early'); time.sleep(1.5); print('late')"
    spec = replace(SPEC, args=(code,), marker=f"outlives-{os.getpid()}")
    outcome = child_process.run(spec, spawner, on_output=kill, stop=lambda: None)
    assert (outcome.status, outcome.output) == (Status.SUCCEEDED, "early\nlate\n")
    assert was_forked(spawner)
    assert launcher_of(spawner) != before


def launcher_of(spawner) -> int:
    assert was_forked(spawner)
    return spawner._launcher.pid


def waiting_below(launcher: int) -> list[psutil.Process]:
    """Find the supervisor that waits with its job: it looks like the launcher yet, unlike one that is ending."""
    found = []
    for process in psutil.Process(launcher).children():
        with suppress(psutil.Error):  # it has ended in between
            if "launcher" in process.cmdline() and process.children():
                found.append(process)
    return found


def test_a_supervisor_that_was_killed_while_it_waited_is_replaced(both):
    launcher = launcher_of(both["auto"])
    wait(lambda: waiting_below(launcher))
    waiting = waiting_below(launcher)
    for process in waiting:
        process.kill()
    psutil.wait_procs(waiting, timeout=20)
    assert was_forked(both["auto"])
    assert launcher_of(both["auto"]) == launcher


def test_what_a_killed_supervisor_leaves_of_a_forked_job_is_found_by_its_mark(both):
    marker = f"found-by-mark-{os.getpid()}"  # of nobody else's tests on this machine
    code = "import os, time\nif os.fork() == 0: os.setsid()\nprint('here', flush=True)\ntime.sleep(60)"
    spec = replace(SPEC, args=(code,), marker=marker)
    outcome = child_process.run(spec, both["auto"], on_output=lambda text: kill_supervisors(marker), stop=lambda: None)
    assert "supervisor ended without a report" in outcome.reason
    assert gone(marker)


PROJECT = {
    "manage.py": (
        "import os, sys\nfrom django.core.management import execute_from_command_line\n"
        "if __name__ == '__main__':\n"
        "    os.environ['DJANGO_SETTINGS_MODULE'] = 'small_settings'\n"
        "    execute_from_command_line(sys.argv)\n"
    ),
    "small_settings.py": (
        "SECRET_KEY = 'x'\nUSE_TZ = True\n"
        "INSTALLED_APPS = ['django.contrib.contenttypes', 'django_apscheduler', 'scheduler_bridge', 'small']\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n"
    ),
    "small/__init__.py": "",
    "small/apps.py": (
        "from django.apps import AppConfig\nclass Small(AppConfig):\n    name = 'small'\n"
        "    def ready(self):\n        pass  # READY\n"
    ),
    "small/word.py": "WORD = 'first'\n",
    "small/management/__init__.py": "",
    "small/management/commands/__init__.py": "",
    "small/management/commands/say.py": (
        "import gc\nfrom django.core.management.base import BaseCommand\nfrom small.word import WORD\n"
        "class Command(BaseCommand):\n    def handle(self, **options):\n"
        f"        print(WORD, 'forked' if gc.get_freeze_count() > {FROZEN} else 'new')\n"
    ),
}


def write_before(path: Path, text: str, seconds: int = 100) -> None:
    path.write_text(text)
    os.utime(path, (time.time() - seconds, time.time() - seconds))


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in PROJECT.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_before(path, text)
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture
def launch(project):
    spawners = []

    def launch(way="auto"):
        origin = Origin.from_process()
        head = (sys.executable, str(project / "manage.py"))
        environment = {**origin.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        spawners.append(Spawner(replace(origin, head=head, cwd=str(project), environment=environment), way))
        return spawners[-1]

    yield launch
    for spawner in spawners:
        spawner.close()


def say(spawner) -> str:
    return execute(spawner, "", command="say", args=()).output.strip()


def ready(project, line: str) -> None:
    path = project / "small" / "apps.py"
    write_before(path, path.read_text().replace("pass  # READY", line))


def test_a_project_with_its_own_way_in_is_forked(launch):
    assert say(launch()) == "first forked"


def test_code_that_changes_on_disk_is_seen_by_the_next_run(launch, project, caplog):
    spawner = launch()
    assert say(spawner) == "first forked"
    caplog.set_level("INFO")
    write_before(project / "small" / "word.py", "WORD = 'second'\n", 50)
    assert say(spawner) == "second new"
    assert [record.getMessage() for record in caplog.records] == [
        f"this job is started anew and the launcher is replaced: {project}/small/word.py has changed"
    ]
    assert say(spawner) == "second forked"


def test_a_renewed_launcher_has_loaded_the_project_anew(launch):
    spawner = launch()
    before = say(spawner) and spawner._launcher.pid
    spawner.renew()
    assert say(spawner) == "first forked"
    assert spawner._launcher.pid != before


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", "1 thread(s)"),
        ("import socket; self.kept = socket.socket()", "1 connection(s)"),
    ],
)
def test_a_project_that_no_fork_can_share_is_started_anew_and_one_line_says_why(launch, project, caplog, line, reason):
    ready(project, line)
    spawner = launch()
    assert [say(spawner), say(spawner)] == ["first new", "first new"]
    assert len(caplog.records) == 1
    assert reason in caplog.text


def test_a_database_connection_that_was_opened_while_loading_is_not_shared(launch, project):
    ready(project, "from django.db import connection; connection.cursor().execute('select 1')")
    assert say(launch()) == "first forked"


def test_a_person_may_insist_on_a_fork(launch, project):
    ready(project, "import socket; self.kept = socket.socket()")
    assert say(launch("fork")) == "first forked"


def test_a_project_that_cannot_be_loaded_fails_with_its_own_words(launch, project, caplog):
    ready(project, "raise RuntimeError('no such licence')")
    outcome = execute(launch(), "", command="say", args=())
    assert (outcome.status, outcome.exit_code) == (Status.FAILED, 1)
    assert "no such licence" in outcome.output
    assert "has ended" in caplog.text


def test_a_project_that_is_mended_is_forked_again(launch, project, monkeypatch):
    ready(project, "raise RuntimeError('no such licence')")
    spawner = launch()
    execute(spawner, "", command="say", args=())
    path = project / "small" / "apps.py"
    write_before(path, path.read_text().replace("raise RuntimeError('no such licence')", "pass"), 50)
    assert say(spawner) == "first new"
    spawner._preload_from = 0  # as after a minute
    assert say(spawner) == "first forked"
