"""External runs with real processes, started both ways."""

import math
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest

from scheduler_bridge.execution import child_process
from scheduler_bridge.execution.child_process import ChildSpec, StopRequest
from scheduler_bridge.execution.mark import MARKER
from scheduler_bridge.execution.origin import Origin
from scheduler_bridge.execution.spawner import Spawner
from scheduler_bridge.execution.uptime import uptime
from scheduler_bridge.models import Status

SPEC = ChildSpec(
    command="probe_code",
    args=(),
    timeout=timedelta(seconds=20),
    kill_after=timedelta(seconds=1),
    output_limit=100_000,
    marker="",
    skip_checks=True,
)
TREE = (
    "import subprocess,time; subprocess.Popen(['sh','-c','setsid sleep 47 & (sleep 48 &) ; sleep 49'])\nprint('here')\n"
)


@pytest.fixture
def marker(request) -> str:
    return f"{os.getpid()}-{time.monotonic()}"


@pytest.fixture(scope="module", params=["exec", "auto"])
def spawner(request):
    spawner = Spawner(Origin.from_process(), request.param)
    yield spawner
    spawner.close()


@pytest.fixture
def run(marker, spawner):
    def run(code: str, stop=lambda: None, on_output=lambda text: None, until=lambda: None, **changes):
        spec = replace(SPEC, **{"args": (code,), "marker": marker, **changes})
        return child_process.run(spec, spawner, on_output=on_output, stop=stop, until=until)

    return run


def begins_within(run) -> timedelta:
    """Give whole seconds within which a job begins on this machine as it is now."""
    begun = time.monotonic()
    run("pass")
    return timedelta(seconds=math.ceil(3 + 3 * (time.monotonic() - begun)))


def gone(marker: str, name: str = MARKER) -> bool:
    """Wait for processes that are ending; a supervisor lives a moment longer than its report."""
    deadline = time.monotonic() + 20
    while alive(marker, name) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(marker, name)


def alive(marker: str, name: str = MARKER) -> list[psutil.Process]:
    found = []
    psutil.process_iter.cache_clear()  # what is kept of a process is not true of the next one with its number
    for process in psutil.process_iter():
        try:
            if process.environ().get(name) == marker and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def command_lines(marker: str) -> list[str]:
    found = []
    for process in alive(marker):
        with suppress(psutil.Error):  # it has ended in between
            found.append(" ".join(process.cmdline()))
    return found


def kill_supervisors(marker: str) -> None:
    for process in alive(marker):
        with suppress(psutil.Error):  # it has ended in between
            if "supervisor" in process.cmdline():
                process.kill()


def wait(what) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("code", "status", "exit_code", "reason"),
    [
        ("print('fine')", Status.SUCCEEDED, 0, ""),
        ("import sys; sys.exit(7)", Status.FAILED, 7, "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Status.FAILED, -11, "killed by SIGSEGV"),
        ("raise ValueError('broken')", Status.FAILED, 1, "exit code 1: ValueError: broken"),
    ],
)
def test_the_end_of_a_process_is_an_outcome(run, code, status, exit_code, reason):
    outcome = run(code)
    assert (outcome.status, outcome.exit_code, outcome.reason) == (status, exit_code, reason)


@pytest.mark.parametrize(
    ("way", "code"),
    [
        ("return", 0),
        ("none", 0),
        ("256", 0),
        ("3", 3),
        ("text", 1),
        ("true", 1),
        ("command", 9),
        ("error", 1),
        ("interrupt", -2),
    ],
)
def test_exit_codes_are_those_of_the_same_command_inside(run, way, code):
    outcome = run("", command="probe_exit", args=(way,))
    assert outcome.exit_code == code, outcome.output
    assert outcome.output.startswith("before\n")


def test_a_timeout_ends_the_whole_tree_and_keeps_the_output(run, marker):
    soon, begun = begins_within(run), time.monotonic()
    outcome = run(TREE + "time.sleep(60)", timeout=soon)
    assert (outcome.status, outcome.reason) == (Status.TIMED_OUT, f"no end within {soon.seconds} seconds")
    assert outcome.output.startswith("here\n")
    assert all(f"sleep {number}" in outcome.output for number in (47, 48, 49))
    assert gone(marker)
    assert time.monotonic() - begun < 45  # nobody has waited for the sleeps


def test_a_process_that_ignores_the_request_to_end_is_killed(run, marker):
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf')\ntime.sleep(60)"
    outcome = run(code, timeout=begins_within(run))
    assert (outcome.status, outcome.exit_code) == (Status.TIMED_OUT, -9)
    assert gone(marker)


def test_a_background_process_that_keeps_the_pipe_does_not_hold_up_the_end(run, marker):
    begun = time.monotonic()
    outcome = run("import subprocess; subprocess.Popen(['sleep', '50']); print('done')")
    assert (outcome.status, outcome.exit_code) == (Status.SUCCEEDED, 0)
    assert "sleep 50" in outcome.output
    assert time.monotonic() - begun < 45
    assert gone(marker)


def test_a_stop_ends_the_tree_and_says_why(run, marker):
    seen = []
    stop = lambda: StopRequest("the runner was stopped") if seen else None  # noqa: E731
    outcome = run(TREE + "time.sleep(60)", on_output=seen.append, stop=stop)
    assert (outcome.status, outcome.reason) == (Status.CANCELLED, "the runner was stopped")
    assert gone(marker)


def test_a_run_whose_time_is_not_prolonged_is_killed_without_grace(run, marker):
    end, begun = uptime() + 4, time.monotonic()
    code = (
        "import time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
    )
    outcome = run(code, until=lambda: end, kill_after=timedelta(seconds=50))
    assert (outcome.status, outcome.reason) == (
        Status.FAILED,
        "ended by its supervisor: the database was out of reach",
    )
    assert gone(marker)
    assert time.monotonic() - begun < 45  # without the 50 seconds of grace


def test_a_run_whose_time_is_prolonged_goes_on(run):
    run("pass")  # a launcher serves from now on: its time runs while it is waited for
    outcome = run("import time; time.sleep(6); print('done')", until=lambda: uptime() + 4)
    assert (outcome.status, outcome.output) == (Status.SUCCEEDED, "done\n")


def test_a_run_ends_in_time_though_the_one_who_watches_it_stands_still(run, marker):
    end, was_gone = uptime() + 2, []

    def stands_still():
        if not was_gone:
            time.sleep(3)
            was_gone.append(gone(marker))

    outcome = run("import time; time.sleep(60)", until=lambda: end, stop=stands_still)
    assert (was_gone, outcome.status) == ([True], Status.FAILED)


def test_output_is_seen_while_it_runs(run):
    seen = []
    stop = lambda: StopRequest("it was seen") if seen else None  # noqa: E731
    outcome = run("import time; print('early'); time.sleep(15)", on_output=seen.append, stop=stop)
    assert seen[0].startswith("early")
    assert outcome.status == Status.CANCELLED


def test_a_gigabyte_of_output_is_bounded(run):
    sizes = [psutil.Process().memory_info().rss]
    code = "import os\npiece = b'x' * 65536\nfor _ in range(16384): os.write(1, piece)"

    def watch(text: str) -> None:
        sizes.append(psutil.Process().memory_info().rss)

    outcome = run(code, on_output=watch, timeout=timedelta(seconds=90))
    assert outcome.status == Status.SUCCEEDED
    assert len(outcome.output) <= 100_100
    assert f"{1024**3 - 100_000} bytes left out" in outcome.output
    assert max(sizes) - sizes[0] < 20_000_000


def test_any_bytes_are_kept_readable(run):
    assert run(r"import os; os.write(1, b'a\x00b\xff')").output == "a\\x00b\\xff"


def test_standard_input_is_empty(run):
    assert "EOFError" in run("input()").output


def test_signals_that_the_runner_ignores_are_not_handed_on(run):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        outcome = run("import time; time.sleep(60)", timeout=timedelta(seconds=1), kill_after=timedelta(seconds=10))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert outcome.exit_code == -15


@pytest.mark.parametrize("code", ["print('a\0b')"])
def test_an_argument_that_no_process_can_have_is_a_failed_run(run, code):
    outcome = run(code)
    assert (outcome.status, outcome.exit_code) == (Status.FAILED, None)
    assert "NUL" in outcome.reason


def test_an_interpreter_that_is_gone_is_a_failed_run(marker):
    spawner = Spawner(replace(Origin.from_process(), head=("/nonexistent",)), "exec")
    outcome = child_process.run(replace(SPEC, marker=marker), spawner, on_output=print, stop=lambda: None)
    spawner.close()
    assert (outcome.status, outcome.exit_code) == (Status.FAILED, 127)
    assert "/nonexistent" in outcome.output


@pytest.mark.parametrize("way", ["exec", "auto"])
def test_a_killed_runner_takes_the_whole_tree_and_its_launcher_with_it(marker, tmp_path, way):
    script = tmp_path / "runner.py"
    script.write_text(
        "import django; django.setup()\n"
        "from tests.acceptance.test_child_process import *\n"
        f"spec = replace(SPEC, args=(TREE + 'time.sleep(60)',), marker={marker!r})\n"
        f"spawner = Spawner(Origin.from_process(), {way!r})\n"
        "child_process.run(spec, spawner, on_output=lambda text: print('up', flush=True), stop=lambda: None)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OF_THIS_TEST": marker}
    runner = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE)
    with runner:
        assert runner.stdout.readline() == b"up\n"
        wait(lambda: len(alive(marker)) >= 4)
        # The launcher, and the supervisor with its job that wait for the next run, carry no mark yet.
        wait(lambda: len(alive(marker, "OF_THIS_TEST")) >= len(alive(marker)) + 3)
        runner.kill()
    assert gone(marker, "OF_THIS_TEST")


def test_a_sweep_ends_what_carries_the_mark_and_nothing_else(marker):
    marked = {**os.environ, MARKER: marker}
    with subprocess.Popen(["sleep", "51"], env=marked) as ours, subprocess.Popen(["sleep", "52"]) as other:
        assert "sleep 51" in child_process.sweep([marker])[0]
        ours.wait(5)
        assert other.poll() is None
        other.kill()


def test_a_sweep_ends_what_is_started_meanwhile_too(marker):
    code = 'trap "setsid sleep 53 & exit" TERM; echo ready; sleep 54 & wait'
    marked = {**os.environ, MARKER: marker}
    with subprocess.Popen(["sh", "-c", code], env=marked, stdout=subprocess.PIPE) as ours:
        assert ours.stdout.readline() == b"ready\n"
        ended = " ".join(child_process.sweep([marker]))
    assert "sleep 53" in ended
    assert gone(marker)


def test_a_sweep_ends_a_process_whose_number_another_one_had_before(marker):
    with subprocess.Popen(["sleep", "51"], env={**os.environ, MARKER: marker}) as ours:
        (known,) = (process for process in psutil.process_iter() if process.pid == ours.pid)
        vars(known)["_pid_reused"] = True  # as psutil finds out as soon as it is to signal it
        assert child_process.sweep([marker])
        assert not alive(marker)
        ours.kill()


def test_a_run_may_go_on_as_long_as_is_said_when_what_starts_it_is_ready():
    asked = []

    class Slow:
        def spawn(self):
            assert not asked
            raise OSError("not ready")

    outcome = child_process.run(SPEC, Slow(), on_output=print, stop=lambda: None, until=lambda: asked.append(1))
    assert outcome.reason == "not started: OSError: not ready"


def test_a_killed_supervisor_fails_the_run_and_leaves_nothing(run, marker):
    def kill(text: str) -> None:
        wait(lambda: {"sleep 47", "sleep 48", "sleep 49"} <= set(command_lines(marker)))
        kill_supervisors(marker)

    outcome = run(TREE + "time.sleep(60)", on_output=kill)
    assert outcome.status == Status.FAILED
    assert "supervisor ended without a report" in outcome.reason
    assert gone(marker)
