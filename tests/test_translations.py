"""Every text that people see can be read in each language, with nothing lost on the way."""

import ast
import gettext
import re
from pathlib import Path

import polib
import pytest

import scheduler_bridge

PACKAGE = Path(scheduler_bridge.__file__).parent
LANGUAGES = ("de", "fr", "sv")
MARKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy"}
PLACES = re.compile(r"%\(\w+\)[sdr]|%[sd%]|\{\w*\}")


def catalog(language: str, kind: str) -> Path:
    return PACKAGE / "locale" / language / "LC_MESSAGES" / f"django.{kind}"


def entries(language: str) -> polib.POFile:
    return polib.pofile(str(catalog(language, "po")))


def places(text: str) -> list[str]:
    return sorted(PLACES.findall(text))


def marked() -> set[str]:
    """Give the texts that the code marks, and the simple ones of the templates."""
    found: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS and node.args:
                found |= {node.args[0].value} if isinstance(node.args[0], ast.Constant) else set()
    for path in PACKAGE.rglob("*.html"):
        found |= {text for _, text in re.findall(r"\{% translate (['\"])(.*?)\1", path.read_text())}
    return found - {""}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_marked_text_is_in_the_catalog(language):
    assert marked() - {entry.msgid for entry in entries(language)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated(language):
    found = entries(language)
    assert [entry.msgid for entry in found if entry.fuzzy or not entry.translated()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_filled_in_is_named_in_every_language(language):
    for entry in entries(language):
        texts = entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]
        wanted = places(entry.msgid_plural or entry.msgid)
        for text in texts:
            left_out = [place for place in wanted if place not in places(text)] if entry.msgid_plural else []
            assert places(text) == wanted or len(left_out) == 1, (entry.msgid, text)
            assert (text.startswith("\n"), text.endswith("\n")) == (
                entry.msgid.startswith("\n"),
                entry.msgid.endswith("\n"),
            )


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_read_is_what_was_written(language):
    with catalog(language, "mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for entry in entries(language):
        if entry.msgid_plural:
            wanted = [entry.msgstr_plural[0], entry.msgstr_plural[1]]
            assert [compiled.ngettext(entry.msgid, entry.msgid_plural, number) for number in (1, 2)] == wanted
        elif entry.msgctxt:
            assert compiled.pgettext(entry.msgctxt, entry.msgid) == entry.msgstr
        else:
            assert compiled.gettext(entry.msgid) == entry.msgstr
