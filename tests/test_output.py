import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from scheduler_bridge.execution.output import Capture, readable


def text_of(data: bytes, limit: int, piece: int = 7) -> str:
    capture = Capture(limit)
    for start in range(0, len(data), piece):
        capture.write(data[start : start + piece])
    return capture.text()


def test_a_short_output_is_kept_whole():
    assert text_of("Grüße 😀\n".encode(), 100) == "Grüße 😀\n"


def test_nul_and_broken_utf8_stay_readable():
    assert text_of(b"a\0b\xff", 100) == "a\\x00b\\xff"


def test_head_and_tail_of_a_long_output_are_kept_with_what_was_cut():
    text = text_of(b"head" + b"." * 1000 + b"tail", 100)
    assert text.startswith("head")
    assert text.endswith("tail")
    assert "[... 908 bytes left out ...]" in text


def test_memory_does_not_grow_with_the_output():
    capture = Capture(1000)
    for _ in range(10_000):
        capture.write(b"x" * 1000)
    assert len(capture._head) + len(capture._tail) == 1000


@given(st.lists(st.binary(max_size=60), max_size=30), st.integers(2, 60))
def test_the_first_and_the_last_bytes_are_those_that_were_written(pieces, limit):
    capture, written = Capture(limit), b"".join(pieces)
    for piece in pieces:
        capture.write(piece)
    half = limit // 2
    assert bytes(capture._head) == written[:half]
    rest = written[half:] or written
    for size in {half, max(1, half // 2), 1}:
        assert capture._last(size) == rest[-size:]


@given(st.lists(st.binary(max_size=60), max_size=30), st.integers(2, 60))
def test_what_is_taken_is_the_text_and_is_forgotten(pieces, limit):
    capture = Capture(limit)
    for piece in pieces:
        capture.write(piece)
    text = capture.text()
    assert capture.take() == text


def test_little_is_in_memory_twice_while_a_large_output_is_taken():
    limit = 1_000_000
    capture = Capture(limit)
    for _ in range(1000):
        capture.write(b"x" * 10_000)
    tracemalloc.start()
    text = capture.take()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(text) > limit
    assert peak < 2.1 * limit  # of which the text itself is one


def test_a_preview_is_short_and_shows_how_it_goes_on():
    capture = Capture(1_000_000)
    capture.write(b"begin" + b"." * 500_000 + b"now")
    shown = capture.preview()
    assert len(shown.encode()) < 66_000
    assert shown.startswith("begin")
    assert shown.endswith("now")
    capture.write(b" and then")
    assert capture.preview().endswith("now and then")
    assert capture.text().endswith("now and then")


@given(st.binary(max_size=400), st.integers(2, 120), st.integers(1, 50))
def test_any_bytes_give_a_text_within_the_limit_that_every_database_keeps(data, limit, piece):
    text = text_of(data, limit, piece)
    body = [line for line in text.split("\n") if "bytes left out" not in line]
    assert len("\n".join(body).encode()) <= limit + 2
    assert "\0" not in text


@given(st.binary(max_size=200))
def test_the_limit_holds_after_escaping(data):
    assert readable(data).encode().decode() == readable(data)
