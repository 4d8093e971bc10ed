import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_bridge.object_text import TEXT_LIMIT, text_of, type_name
from scheduler_bridge.plain import one_line, plain


def test_words_in_any_language_stay():
    text = "Zürich\tשלום 👩‍👩‍👧 naïve\n"
    assert plain(text) == text
    assert plain("\x1b[1mname \udcff\x1b[0m\r\n") == "name \\udcff\n"


@given(st.text(st.sampled_from("\x1b[]\x07\\;0m8@a \x00\x9b\x85\u2028\u202e\u2066\r\n\t"), max_size=60))
def test_nothing_is_left_that_steers(text):
    left = set(plain(text)) - {"\n", "\t"}
    assert not [letter for letter in left if unicodedata.category(letter) == "Cc" or letter in "\u202e\u2066"]
    assert plain(plain(text)) == plain(text)


@given(st.text(), st.integers(1, 40))
def test_one_line_is_one_line(text, limit):
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


class Mute:
    def __str__(self):
        raise SystemExit("no words")


class Wordless:
    def __str__(self):
        return None


class Wild(str):
    def __str__(self):
        return self

    def __getitem__(self, place):
        raise ValueError("no letters")


class Named(type):
    __name__ = property(lambda kind: 1 / 0)


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (ValueError("x"), "x"),
        ("text", "text"),
        (None, "None"),
        (3, "3"),
        (Wild("wild"), "wild"),
        ("x" * (TEXT_LIMIT + 1), "x" * TEXT_LIMIT),
    ],
)
def test_anything_is_told(thing, text):
    assert text_of(thing) == text
    assert type(text_of(thing)) is str


@pytest.mark.parametrize("thing", [Mute(), Wordless()])
def test_what_has_no_words_is_told_by_its_type(thing):
    assert type(thing).__name__ in text_of(thing)


def test_the_name_of_a_type_is_its_own_whatever_its_metaclass_says():
    assert type_name(Named("Odd", (), {})()) == "Odd"


def test_a_text_of_any_size_is_cleaned_at_once():
    begun = time.process_time()
    assert one_line("x\x1b[1m" * 10_000_000, 500).startswith("xxx")
    assert time.process_time() - begun < 1
