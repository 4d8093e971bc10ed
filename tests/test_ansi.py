import re
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scheduler_bridge
from scheduler_bridge.admin.ansi import MOST, NAMES, coloured
from scheduler_bridge.plain import plain

SHEET = Path(scheduler_bridge.__file__).parent / "static" / "scheduler_bridge" / "run.css"


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m.", '<span class="sb-ansi-red">red</span>.'),
        ("\x1b[1;4;92mdone\x1b[m.", '<span class="sb-ansi-bright-green sb-ansi-bold sb-ansi-underline">done</span>.'),
        ("\x1b[1mb\x1b[22mn", '<span class="sb-ansi-bold">b</span>n'),
        (
            "\x1b[4mu\x1b[24mn\x1b[4:3mc\x1b[4:0mn",
            '<span class="sb-ansi-underline">u</span>n<span class="sb-ansi-underline">c</span>n',
        ),
        (
            "\x1b[33;44my\x1b[39mb\x1b[49mn",
            '<span class="sb-ansi-yellow sb-ansi-on-blue">y</span><span class="sb-ansi-on-blue">b</span>n',
        ),
        ("\x1b[38;5;9mx", '<span class="sb-ansi-bright-red">x</span>'),
        ("\x1b[38;5;196mx", '<span class="sb-ansi-bright-red">x</span>'),
        ("\x1b[38;5;240mx", '<span class="sb-ansi-bright-black">x</span>'),
        ("\x1b[48;2;0;0;230mx", '<span class="sb-ansi-on-blue">x</span>'),
        ("\x1b[38:2::250:250:250mx", '<span class="sb-ansi-bright-white">x</span>'),
        ("\x1b[38:5:2mx", '<span class="sb-ansi-green">x</span>'),
        ("\x1b[31mone\x1b[2K\x1b[31m line", '<span class="sb-ansi-red">one line</span>'),
        ("\x1b[31m<b>&\x1b[0m", '<span class="sb-ansi-red">&lt;b&gt;&amp;</span>'),
        ("\x1b[>4;2mx\x1b[?25hy\x1b[31 mz", "xyz"),
        (
            "\x1b[38mx\x1b[38;5my\x1b[38;9;1mz",
            'x<span class="sb-ansi-black">y</span><span class="sb-ansi-bold">z</span>',
        ),
        (f"\x1b[{'9' * 5000}mx", "x"),
        ("\x1b[31m", ""),
    ],
)
def test_codes_become_classes(output, shown):
    assert coloured(output) == shown


PIECES = st.one_of(
    st.sampled_from(
        ["\x1b", "[", "m", ";", "38;5;", "48:2:", "\x1b[31m", "\x1b[0m", "\x1b[1;97;40m", "\r", "\n", "\x9b", "]"]
    ),
    st.sampled_from(
        ["<", ">", "&", '"', "'", "</span>", "<script>", "\u202e", "\x07", "\ud83d", "\ude00", "\x1b]8;;x\x1b\\"]
    ),
    st.text(max_size=5),
    st.integers().map(str),
)


class Reader(HTMLParser):
    """Reads the text of some HTML, and whether each tag is closed in its turn."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.open, self.tags = "", [], set()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.open.append(tag)
        self.tags.add((tag, *(name for name, _value in attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@given(st.lists(PIECES, max_size=30).map("".join))
def test_whatever_comes_the_text_is_the_plain_one_in_balanced_tags(output):
    html = coloured(output)
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.text == plain(output)
    assert reader.open == []
    assert reader.tags <= {("span", "class")}
    assert re.fullmatch(r"(?:[^<>]|<span class=\"[a-z -]+\">|</span>)*", html, re.DOTALL)


def test_output_that_changes_its_look_all_the_time_is_shown_within_bounds():
    output = "".join(f"\x1b[{31 + number % 2}mx" for number in range(100_000))
    begun = time.thread_time()
    html = coloured(output)
    assert time.thread_time() - begun < 10
    assert html.count("<span") < MOST
    assert unescape(re.sub("<[^>]*>", "", html)) == plain(output)


def test_a_long_output_takes_no_longer_than_to_make_it_plain():
    output = "\x1b[32mok\x1b[0m a line of the usual length, which a job prints when it has done something\n" * 10_000
    begun = time.thread_time()  # on a busy machine one of the two may wait for a processor and the other not
    plain(output)
    alone = time.thread_time() - begun
    coloured(output)
    assert time.thread_time() - begun < 10 * alone + 0.5


def luminance(colour: str) -> float:
    """Give the relative luminance of WCAG 2.2."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_colour_can_be_read_on_every_ground(dark):
    sheet = SHEET.read_text()
    found = r"\.sb-ansi-%s([a-z-]+) \{ %s: light-dark\((#\w{6}), (#\w{6})\); \}"
    colours = {name: pair[dark] for name, *pair in re.findall(found % ("(?!on-)", "color"), sheet)}
    grounds = {name: pair[dark] for name, *pair in re.findall(found % ("on-", "background"), sheet)}
    assert set(colours) == set(grounds) == set(NAMES)
    # The admin's own --darkened-bg, behind all output, and --body-fg, for letters without a colour.
    grounds["none"], colours["none"] = ("#212121", "#eeeeee") if dark else ("#f8f8f8", "#333333")
    poor = [(one, on) for one in colours for on in grounds if contrast(colours[one], grounds[on]) < 4.5]
    assert poor == []
