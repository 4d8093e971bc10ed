"""What a run in processes of its own leaves besides its output: the stacks of what hung, and what it used."""

import os
import re
import subprocess
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from scheduler_bridge.execution import child_process, ended, stack
from scheduler_bridge.execution.origin import Origin
from scheduler_bridge.execution.spawner import Spawner
from scheduler_bridge.models import Status
from tests.acceptance.test_child_process import SPEC, begins_within, gone

MIB = 1024 * 1024
HANGING = """
import subprocess, threading, time
{extra}
def wait_for_the_bank():
    print("asking", flush=True)
    time.sleep(60)
wait_for_the_bank()
"""
# The last thing a job does, since loading a project and ending Python take another time at each run.
SAY_WHAT_WAS_USED = "print(time.process_time(), flush=True); os._exit(0)\n"


@pytest.fixture(scope="module", params=["exec", "auto"])
def spawner(request):
    spawner = Spawner(Origin.from_process(), request.param)
    yield spawner
    spawner.close()


@pytest.fixture
def run(spawner):
    marker = f"{os.getpid()}-{time.monotonic()}"

    def run(code: str, **changes):
        spec = replace(SPEC, **{"args": (code,), "marker": marker, **changes})
        return child_process.run(spec, spawner, on_output=lambda text: None, stop=lambda: None)

    yield run
    assert gone(marker)


@pytest.fixture
def soon(run) -> timedelta:
    """A timeout within which a job begins on this machine as it is now."""
    return begins_within(run)


@pytest.fixture
def hang(run, soon):
    """Run what hangs."""

    def hang(extra: str = ""):
        # Who ends by the request alone is not killed, however busy the machine is.
        outcome = run(HANGING.format(extra=extra), timeout=soon, kill_after=timedelta(seconds=20))
        assert outcome.status == Status.TIMED_OUT
        assert "asking" in outcome.output
        return outcome

    return hang


def test_a_job_that_hangs_shows_where(hang):
    output = hang().output
    head, _, rest = output.partition("[stack of ")
    assert "asking" in head
    assert re.match(r"\d+ \S*python\S* .*probe_code", rest)
    assert re.search(r'File "<probe>", line \d+ in wait_for_the_bank', rest)


def test_every_thread_and_every_python_process_of_the_tree_is_shown(hang):
    child = (
        "import os\n"
        "def wait_in_a_thread(): time.sleep(60)\n"
        "threading.Thread(target=wait_in_a_thread, daemon=True).start()\n"
        "def wait_in_a_fork(): time.sleep(60)\n"
        "if os.fork() == 0: wait_in_a_fork()\n"
    )
    output = hang(child).output
    assert output.count("[stack of ") == 2
    assert "in wait_in_a_thread" in output
    assert "in wait_in_a_fork" in output


def test_a_program_that_does_not_listen_is_not_disturbed(hang, tmp_path):
    """A program that has no handler for the signal would be ended by it, not by the request to end."""
    script = f"trap 'echo ended as usual > {tmp_path}/end; exit' TERM; while :; do sleep 0.1; done"
    code = f"subprocess.Popen(['sh', '-c', {script!r}])\n"
    output = hang(code).output
    assert (tmp_path / "end").read_text() == "ended as usual\n"
    assert output.count("[stack of ") == 1


def test_a_program_with_a_handler_of_its_own_is_not_ended_by_the_question(hang, tmp_path):
    code = (
        "import signal\n"
        f"def answer(*given): open({str(tmp_path / 'asked')!r}, 'a').write('asked ')\n"
        f"def end(*given): open({str(tmp_path / 'asked')!r}, 'a').write('ended'); raise SystemExit(5)\n"
        f"signal.signal({stack.SIGNAL}, answer); signal.signal(signal.SIGTERM, end)\n"
        "old_sleep = time.sleep\n"
        "def sleep(seconds):\n"
        "    for _ in range(600): old_sleep(0.1)\n"
        "time.sleep = sleep\n"
    )
    assert hang(code).exit_code == 5
    assert (tmp_path / "asked").read_text() == "asked ended"


def test_an_interpreter_that_is_stuck_shows_its_stack_too(run, soon):
    code = (
        "import ctypes\n"
        "def stuck_in_c(): ctypes.PyDLL(None).sleep(60)\n"  # keeps the interpreter to itself
        "print('asking', flush=True); stuck_in_c()"
    )
    outcome = run(code, timeout=soon)
    assert "in stuck_in_c" in outcome.output


def test_the_names_of_what_was_ended_are_parted_from_the_output(hang):
    output, names = ended.split(hang("subprocess.Popen(['sleep', '61'])").output)
    assert any(name.endswith("sleep 61") for name in names)
    assert "[ended" not in output
    assert len(names) == 2


def test_a_job_that_ends_by_itself_is_not_asked(run):
    assert "[stack of" not in run("print('done')").output


def test_what_a_job_used_is_measured(run):
    burn = "import os, time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
    outcome = run(burn + SAY_WHAT_WAS_USED)
    own = float(outcome.output)
    assert own > 0.5
    assert abs(outcome.usage.cpu_seconds - own) < 0.2
    assert 0 <= run("pass").usage.cpu_seconds < 5


def test_memory_is_that_of_the_largest_process_of_the_tree(run):
    idle = run("pass").usage
    need = f"held = bytearray({100 * MIB})\nheld[::4096] = b'x' * len(held[::4096])\n"
    big = run(need).usage
    by_child = run(f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {need!r}], check=True)").usage
    assert 80 * MIB < big.peak_memory - idle.peak_memory < 140 * MIB
    assert 100 * MIB < by_child.peak_memory < 100 * MIB + idle.peak_memory
    assert 5 * MIB < idle.peak_memory < 200 * MIB


def test_what_a_process_used_that_nobody_waited_for_is_counted(run, tmp_path):
    burn = (
        "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass\n"
        f"open({str(tmp_path / 'done')!r}, 'w')"
    )
    code = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {burn!r}], start_new_session=True)\n"
        f"while not os.path.exists({str(tmp_path / 'done')!r}): time.sleep(0.05)\n"
    )
    outcome = run(code + SAY_WHAT_WAS_USED)
    assert outcome.usage.cpu_seconds - float(outcome.output.split()[0]) > 0.4


def test_the_peak_is_that_of_the_job_and_not_of_the_process_that_started_it(run):
    """A fork begins with the pages of its parent, and a program loaded into it has those in its peak."""
    look = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    outcome = run(look)
    assert abs(outcome.usage.peak_memory - int(outcome.output) * 1024) < 4 * MIB


def test_the_signal_ends_who_does_not_listen():
    """Or the care not to send it would be for nothing."""
    with subprocess.Popen(["sleep", "60"]) as program:
        program.send_signal(stack.SIGNAL)
    assert program.returncode == -stack.SIGNAL
