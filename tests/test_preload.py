import os
import sys
import sysconfig
import time
from pathlib import Path
from types import ModuleType

import pytest

from scheduler_bridge.execution import preload
from tests import settings as project_module


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "code.py"
    path.write_text("one")
    os.utime(path, (1000, 1000))
    return path


def test_the_projects_own_modules_are_watched_and_installed_ones_are_not():
    files = set(preload.sources())
    assert project_module.__file__ in files
    assert not any(name in files for name in (os.__file__, pytest.__file__))


def test_the_folder_of_installed_packages_is_watched():
    assert sysconfig.get_path("stdlib") in set(preload.sources())


@pytest.mark.parametrize("value", [None, 7])
def test_a_module_without_a_file_is_passed_over(monkeypatch, value):
    module = ModuleType("made_up")
    module.__file__ = value
    monkeypatch.setitem(sys.modules, "made_up", module)
    assert value not in set(preload.sources())


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("three"),
        lambda path: os.utime(path, (1001, 1001)),
        lambda path: path.unlink(),
        lambda path: (path.with_name("new").write_text("two"), os.replace(path.with_name("new"), path)),
    ],
    ids=["another text", "another time", "gone", "replaced"],
)
def test_each_change_of_a_file_is_seen(source, change):
    before = preload.stamp(str(source))
    assert preload.stamp(str(source)) == before
    change(source)
    assert preload.stamp(str(source)) != before


def test_a_file_of_the_same_size_and_time_that_took_its_place_is_seen(source):
    before = preload.stamp(str(source))
    other = source.with_name("other")
    other.write_text("two")
    os.utime(other, (1000, 1000))
    os.replace(other, source)
    assert preload.stamp(str(source)) != before


def test_a_file_that_changed_while_it_was_loaded_counts_as_changed(source):
    os.utime(source)
    assert preload.stamp(str(source), time.time() - 5) == preload.CHANGED
    assert preload.stamp(str(source), time.time() + 5) != preload.CHANGED


def test_a_file_from_the_future_is_taken_as_it_is(source):
    later = time.time() + 3600
    os.utime(source, (later, later))
    assert preload.stamp(str(source), time.time() - 5) != preload.CHANGED


def test_a_folder_name_that_begins_like_that_of_an_installed_one_is_no_part_of_it(monkeypatch):
    module = ModuleType("made_up")
    module.__file__ = str(Path(sysconfig.get_path("stdlib") + "-of-mine") / "made_up.py")
    monkeypatch.setitem(sys.modules, "made_up", module)
    assert module.__file__ in set(preload.sources())
