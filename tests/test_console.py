import getpass
import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import pytest

from scheduler_bridge.execution import console
from scheduler_bridge.execution.output import Capture


@contextmanager
def routed() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Give a console of the test's own, with the routers in place."""
    out, error = io.StringIO(), io.StringIO()
    handler = logging.StreamHandler(error)
    logging.getLogger("tests.console").addHandler(handler)
    start = threading.Thread.start
    with redirect_stdout(out), redirect_stderr(error):
        console.install()
        try:
            yield out, error
        finally:
            console.uninstall()
    threading.Thread.start = start
    logging.getLogger("tests.console").removeHandler(handler)


def test_only_what_the_capturing_thread_says_is_captured():
    with routed() as (out, error):
        capture, begun, go_on = Capture(1000), threading.Event(), threading.Event()

        def other() -> None:
            begun.wait(10)
            print("of the other")
            go_on.set()

        thread = threading.Thread(target=other)
        thread.start()
        with console.captured(capture):
            print("of the job")
            sys.stderr.write("trouble\n")
            logging.getLogger("tests.console").warning("logged")
            begun.set()
            go_on.wait(10)
        thread.join()
        print("after")
        assert capture.text() == "of the job\ntrouble\nlogged\n"
        assert (out.getvalue(), error.getvalue()) == ("of the other\nafter\n", "")


def test_a_thread_speaks_for_the_job_that_started_it_also_later_and_in_turn():
    with routed() as (out, _error):
        capture, go_on = Capture(1000), threading.Event()

        def child() -> None:
            go_on.wait(10)
            thread = threading.Thread(target=print, args=["grandchild"])
            thread.start()
            thread.join()

        with console.captured(capture):
            thread = threading.Thread(target=child)
            thread.start()
        go_on.set()
        thread.join()
        assert capture.text() == "grandchild\n"
        assert out.getvalue() == ""


def test_bytes_go_where_text_goes():
    with routed() as (out, error):
        capture = Capture(1000)
        with console.captured(capture):
            sys.stdout.buffer.write(b"nul \0, broken \xff\n")
            print("text", file=sys.stdout)
        sys.stdout.buffer.write(b"to the console\n")
        sys.stderr.buffer.write(b"\xff")
        assert capture.text() == "nul \\x00, broken \\xff\ntext\n"
        assert (out.getvalue(), error.getvalue()) == ("to the console\n", "\\xff")


def test_bytes_go_beneath_a_console_that_has_bytes():
    beneath = io.BytesIO()
    router = console.Router(io.TextIOWrapper(beneath))
    router.buffer.write(memoryview(b"raw"))
    router.buffer.flush()
    assert beneath.getvalue() == b"raw"


def test_a_job_can_neither_close_the_console_nor_configure_it():
    with routed() as (out, _error):
        with console.captured(Capture(1000)):
            sys.stdout.reconfigure(line_buffering=True)
            sys.stdout.buffer.close()
            sys.stdout.close()
        assert not sys.stdout.closed
        print("after")
        assert out.getvalue() == "after\n"


def test_the_routers_are_put_in_place_once():
    with routed():
        router = sys.stdout
        console.install()
        assert sys.stdout is router


def test_the_console_is_put_back():
    with routed() as (out, error):
        console.uninstall()
        assert (sys.stdout, sys.stderr) == (out, error)
        logging.getLogger("tests.console").warning("again")
        assert error.getvalue() == "again\n"


def test_a_job_sees_no_terminal_and_text_that_is_no_utf_8():
    with routed():
        capture = Capture(1000)
        with console.captured(capture):
            assert not sys.stdout.isatty()
            sys.stdout.write("half a letter: \udcff\n")
            sys.stdout.flush()
        assert "half a letter: \\udcff" in capture.text()


def test_a_console_that_was_closed_is_no_error_at_a_flush():
    with routed() as (out, _error):
        out.close()
        sys.stdout.flush()


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")

    def flush(self):
        self.write("")


def test_a_console_that_is_full_or_closed_ends_nothing(monkeypatch):
    for stream in (Full(), io.StringIO()):
        router = console.Router(stream)
        stream.close()
        assert router.write("words") == 5
        assert router.buffer.write(b"bytes") == 5
        router.flush()
        assert not router.isatty()


def test_letters_that_a_console_lacks_are_escaped():
    raw = io.BytesIO()
    router = console.Router(io.TextIOWrapper(raw, "ascii", write_through=True))
    router.write("payment 💥")
    assert raw.getvalue() == rb"payment \U0001f4a5"


def test_a_handler_that_raises_costs_the_runner_no_more_than_its_words():
    class Rude(logging.Handler):
        def emit(self, record):
            raise RuntimeError("no log today")

    logger, rude = logging.getLogger("scheduler_bridge"), Rude()
    logger.addHandler(rude)
    try:
        with routed() as (_out, error):
            logger.error("job %s failed", "shop.fetch")
            assert error.getvalue() == "job shop.fetch failed (a logging handler failed: RuntimeError: no log today)\n"
        with pytest.raises(RuntimeError):
            logger.error("as before")
    finally:
        logger.removeHandler(rude)


def test_whoever_asks_a_question_meets_the_end_of_its_input():
    before, here = sys.stdin, os.fstat(0)
    with routed():
        for ask in (input, lambda: getpass.getpass()):
            with pytest.raises(EOFError):
                ask()
        assert os.read(0, 1) == b""
    assert (sys.stdin, os.fstat(0).st_ino) == (before, here.st_ino)
