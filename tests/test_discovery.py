import sys
from dataclasses import replace
from types import MappingProxyType

import pytest
from django.core import management

from scheduler_bridge.definition import define
from scheduler_bridge.discovery import Discovery, chain_problems, discover
from tests.demo.management.commands import by_hand


def discovery_of(**following: str) -> Discovery:
    """Give jobs named by letters, each followed by the ones after it."""
    base = define("shop", "x", by_hand.Command)
    jobs = {f"shop.{name}": replace(base, command=name, next_jobs=tuple(next_)) for name, next_ in following.items()}
    return Discovery(definitions=MappingProxyType(jobs), broken={}, others=())


@pytest.fixture
def fresh():
    discover.cache_clear()
    yield
    discover.cache_clear()


def test_jobs_of_all_apps_are_found_and_other_commands_told_apart():
    found = discover()
    assert "tests.demo.specimen" in found.definitions
    assert "scheduler_bridge.pruneruns" in found.definitions
    assert "tests.demo.no_job" in found.others
    assert "django.core.migrate" in found.others


@pytest.mark.parametrize("line", ["import nonexistent_module", "raise SystemExit(4)", "x = 1"])
def test_a_broken_command_hides_nobody_else(fresh, monkeypatch, tmp_path, line):
    (tmp_path / "shopfloor" / "management" / "commands").mkdir(parents=True)
    (tmp_path / "shopfloor" / "management" / "commands" / "crash.py").write_text(line)
    monkeypatch.syspath_prepend(str(tmp_path))
    commands = {"crash": "shopfloor", "specimen": "tests.demo"}
    monkeypatch.setattr("scheduler_bridge.discovery.get_commands", lambda: commands)
    found = discover()
    assert list(found.broken) == ["shopfloor.crash"]
    assert found.broken["shopfloor.crash"].error
    assert list(found.definitions) == ["tests.demo.specimen"]
    for name in [name for name in sys.modules if name.startswith("shopfloor")]:
        del sys.modules[name]


def test_a_name_resolves_in_full_and_in_short_when_it_means_one_job():
    found = discovery_of(a="", b="")
    assert found.resolve("shop.a") == "shop.a"
    assert found.resolve("a") == "shop.a"
    assert found.resolve("c") is None
    twice = Discovery(definitions={**found.definitions, "till.a": found.definitions["shop.a"]}, broken={}, others=())
    assert twice.resolve("a") is None


def test_a_chain_that_ends_is_sound():
    assert chain_problems(discovery_of(a="bc", b="c", c="")) == {}


@pytest.mark.parametrize("jobs", [{"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "a"}])
def test_a_chain_that_loops_is_named(jobs):
    problems = chain_problems(discovery_of(**jobs))
    assert set(problems) == {f"shop.{name}" for name in jobs}
    assert {problem.id for found in problems.values() for problem in found} == {"E113"}


def test_a_job_before_a_loop_is_not_part_of_it():
    assert "shop.a" not in chain_problems(discovery_of(a="b", b="c", c="b"))


def test_two_names_of_one_follower_are_one_end():
    found = discovery_of(a=["b", "shop.b"], b="")
    assert chain_problems(found) == {}


def test_long_chains_and_circles_are_told_apart():
    """A chain of two thousand jobs, some of which lead into a circle, is walked once."""
    chain = {f"j{n}": [f"j{n + 1}"] for n in range(2000)}
    found = discovery_of(**chain, j2000="", x="y", y="z", z="x", before=["x", "j0"])
    assert set(chain_problems(found)) == {"shop.x", "shop.y", "shop.z"}


def test_an_unknown_follower_is_named():
    assert [problem.id for problem in chain_problems(discovery_of(a="z"))["shop.a"]] == ["E112"]


def test_the_commands_are_loaded_once(fresh, monkeypatch):
    calls = []
    monkeypatch.setattr("scheduler_bridge.discovery.get_commands", lambda: calls.append(1) or management.get_commands())
    discover()
    discover()
    assert calls == [1]
