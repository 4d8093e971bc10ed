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
    assert "[… 908 bytes left out …]" in text


def test_memory_does_not_grow_with_the_output():
    capture = Capture(1000)
    for _ in range(10_000):
        capture.write(b"x" * 1000)
    assert len(capture._head) + len(capture._tail) <= 2 * 1000 + 1000


@given(st.binary(max_size=400), st.integers(2, 120), st.integers(1, 50))
def test_any_bytes_give_a_text_within_the_limit_that_every_database_keeps(data, limit, piece):
    text = text_of(data, limit, piece)
    body = [line for line in text.split("\n") if "bytes left out" not in line]
    assert len("\n".join(body).encode()) <= limit + 2
    assert "\0" not in text


@given(st.binary(max_size=200))
def test_the_limit_holds_after_escaping(data):
    assert readable(data).encode().decode() == readable(data)
