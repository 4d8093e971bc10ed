import faulthandler
import os
import select
import signal
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
