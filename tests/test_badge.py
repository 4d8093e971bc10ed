import os
import shutil
import signal
import subprocess
import sys

import pytest

from scheduler_bridge import badge
from scheduler_bridge.badge import Badge

MINE = Badge("token", "database")
# A fork that lives on, as one that an internal job has made, and shows what it has inherited.
FORK = """
import os, time
from scheduler_bridge import badge
badge.show(badge.Badge("token", "database"))
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def bare():
    """This process with no badge before, and none after."""
    undress()
    yield
    undress()


def undress() -> None:
    for descriptor in badge._worn:
        badge._take_off(descriptor)
    badge._worn.clear()


def test_a_process_shows_the_badge_that_it_put_on_last():
    assert badge.shown(os.getpid()) == ()
    badge.show(Badge("before", "database"))
    badge.show(MINE)
    assert badge.shown(os.getpid()) == (MINE,)
    assert badge.is_worn(os.getpid(), "token")
    assert not badge.is_worn(os.getpid(), "before")


def test_the_badge_is_not_inherited_by_another_program():
    badge.show(MINE)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as other:
        assert badge.shown(other.pid) == ()
        other.kill()


def test_a_fork_that_has_the_badge_too_is_not_taken_for_the_one_that_wears_it():
    with subprocess.Popen([sys.executable, "-c", FORK], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        assert badge.shown(parent.pid) == (MINE,)
        assert badge.shown(child) == ()
        os.kill(child, signal.SIGKILL)
        parent.kill()


def test_a_number_that_has_passed_on_proves_nothing(monkeypatch):
    badge.show(MINE)
    monkeypatch.setattr(badge, "_started", lambda pid: "later")
    assert badge.shown(os.getpid()) == ()


def test_a_process_is_held_only_while_it_proves_both():
    badge.show(MINE)
    for wanted, is_proved in [(MINE, True), (Badge("token", "a-copy"), False), (Badge("other", "database"), False)]:
        with badge.held(os.getpid(), wanted) as process:
            assert (process is not None) == is_proved


def test_a_runner_on_a_database_that_nothing_tells_apart_proves_nothing():
    badge.show(Badge("token", ""))
    for wanted in ("", badge.NOWHERE):
        with badge.held(os.getpid(), Badge("token", wanted)) as process:
            assert process is None
    assert badge.is_worn(os.getpid(), "token")


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_where_there_are_no_such_files_nothing_is_shown(monkeypatch, error):
    def refuse(name: str, flags: int) -> int:
        raise error

    monkeypatch.setattr(os, "memfd_create", refuse)
    badge.show(MINE)
    assert badge.shown(os.getpid()) == ()


def test_a_kernel_that_does_not_know_the_newest_flag_makes_one_all_the_same(monkeypatch):
    real = os.memfd_create

    def make(name: str, flags: int) -> int:
        if flags & badge.NOT_EXECUTABLE:
            raise OSError("invalid argument")
        return real(name, flags)

    monkeypatch.setattr(os, "memfd_create", make)
    badge.show(MINE)
    assert badge.shown(os.getpid()) == (MINE,)


def test_a_badge_that_a_job_has_closed_is_put_on_anew_and_what_has_its_number_now_stays_open(tmp_path):
    badge.show(MINE)
    (worn,) = badge._worn
    with (tmp_path / "file").open("w") as file:
        os.dup2(file.fileno(), worn)
    badge.show(MINE)
    assert badge.shown(os.getpid()) == (MINE,)
    assert os.readlink(f"/proc/self/fd/{worn}") == str(tmp_path / "file")
    os.close(worn)


def test_who_does_not_let_itself_be_looked_at_may_be_anyone(monkeypatch):
    def refuse(path: str) -> list[str]:
        raise PermissionError(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert badge.is_worn(os.getpid(), "token")
    with badge.held(os.getpid(), MINE) as process:
        assert process is None


@pytest.mark.parametrize(("error", "hidden"), [(PermissionError, True), (ProcessLookupError, False), (None, False)])
def test_a_number_in_use_of_which_nothing_is_seen_is_hidden(monkeypatch, error, hidden):
    def answer(pid: int, number: int) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(os, "kill", answer)
    assert badge.is_hidden(os.getpid()) == hidden


# What a process of another user sees of this one; it has loaded all it needs before it becomes nobody.
LOOK = """
import os, sys
from scheduler_bridge import badge
from scheduler_bridge.badge import Badge
pid = int(sys.argv[1])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with badge.held(pid, Badge("token", "database")) as process:
    print(process, badge.is_worn(pid, "token"), badge.is_hidden(pid), os.path.exists(f"/proc/{pid}"))
"""


def can(around: list[str]) -> bool:
    """Tell whether a program can be started in these surroundings here."""
    if shutil.which(around[0]) is None:
        return False
    return subprocess.run([*around, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("around", "seen"),
    [
        ([], "None True True True\n"),
        (
            ["unshare", "-m", "sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh"],
            "None False True False\n",
        ),
    ],
    ids=["plain", "hidepid"],
)
def test_to_another_user_a_process_proves_nothing_and_is_there(around, seen):
    if os.geteuid() != 0 or (around and not can(around)):
        pytest.skip("only root becomes another user, and not everywhere mounts /proc")
    badge.show(MINE)
    command = [*around, sys.executable, "-c", LOOK, str(os.getpid())]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == seen
