import faulthandler
import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from scheduler_bridge.execution import stack
from scheduler_bridge.execution.mark import MARKER, reserved


@pytest.fixture
def listening():
    yield lambda: stack._listens(os.getpid())
    faulthandler.unregister(stack.SIGNAL)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({MARKER: "abc-def/17"}, True),
        ({MARKER: "-" * 10 + "/17"}, True),
        (reserved({}), False),
        ({MARKER: ""}, False),
        ({}, False),
    ],
    ids=["a run", "a run whose mark has dashes", "the launcher", "no mark", "another program"],
)
def test_only_a_process_of_a_run_listens(listening, environment, expected):
    stack.listen_in_a_run(environment)
    assert listening() is expected


def test_a_process_that_holds_the_signal_back_is_not_asked(listening):
    stack.listen()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [stack.SIGNAL])
    try:
        assert not listening()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert listening()


def test_a_process_that_is_gone_is_not_asked():
    assert not stack._listens(2**22 + 1)


def test_a_full_pipe_stops_nobody():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, b"x" * 4096):
            continue
    os.set_blocking(writer, True)
    stack._announce(stack.psutil.Process(), writer)
    assert os.get_blocking(writer)
    os.close(reader)
    os.close(writer)


def test_a_line_names_the_process():
    reader, writer = os.pipe()
    stack._announce(stack.psutil.Process(), writer)
    assert select.select([reader], [], [], 1)[0]
    line = os.read(reader, 1000).decode()
    assert line.startswith(f"\n[stack of {os.getpid()} ")
    assert line.endswith("]\n")
    os.close(reader)
    os.close(writer)


LISTENING = "import time; from scheduler_bridge.execution import stack; stack.listen(); print('up', flush=True)\n"


def test_a_process_that_gets_no_processor_for_a_while_is_waited_for(tmp_path):
    reader, writer = os.pipe()
    said = tmp_path / "said"
    command = [sys.executable, "-c", f"{LISTENING}time.sleep(60)"]
    with said.open("w") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as job:
        assert job.stdout.readline() == b"up\n"
        job.send_signal(signal.SIGSTOP)
        going_on = threading.Timer(stack.PATIENCE * 2, job.send_signal, [signal.SIGCONT])
        going_on.start()
        stack.ask(writer)
        job.kill()
        going_on.join()
    assert "most recent call first" in said.read_text()
    os.close(reader)
    os.close(writer)
