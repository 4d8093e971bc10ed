import unicodedata

from hypothesis import given
from hypothesis import strategies as st

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
