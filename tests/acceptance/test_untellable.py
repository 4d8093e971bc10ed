"""Jobs that raise, print and leave what cannot be told or stored: each run says what can be said, others go on."""

import os
import textwrap
from collections.abc import Mapping
from typing import Any

import pytest

from tests.settings import ENGINE

from .conftest import ROOT, Site, on_database

pytestmark = pytest.mark.timeout(240)
HEAD = """
import builtins, getpass, locale, logging, os, sys
from django.core.management.base import BaseCommand, CommandError
from scheduler_bridge.exceptions import SkipRun

class Mute(Exception):
    def __str__(self):
        raise ValueError("no words")

class Wordless(Exception):
    def __str__(self):
        return None

class Leaver(Exception):
    def __str__(self):
        raise SystemExit(3)

class Envious(str):
    def __eq__(self, other):
        raise RuntimeError("incomparable")
    __hash__ = str.__hash__

class Full:
    encoding, closed = "utf-8", False
    def write(self, text):
        raise OSError(28, "No space left on device")
    flush = isatty = fileno = write

class Rude(logging.Handler):
    def emit(self, record):
        raise RuntimeError("no log today")

class Odd(CommandError):
    returncode = property(lambda self: 1 / 0, lambda self, value: None)

def raises(error):
    raise error

def shout():
    print("\\ud800 lone, nul \\0, \\U0001f4a5" * 3)
    raise RuntimeError("payment \\U0001f4a5 refused \\ud800 \\0 \\u0142")
"""
# What the code of a job does, and what is in the reason then.
RAISED: Mapping[str, tuple[str, str]] = {
    "mute": ("raises(Mute())", "Mute: <"),
    "wordless": ("raises(Wordless())", "Wordless: <"),
    "leaver": ("raises(Leaver())", "Leaver: <"),
    "boom": ("shout()", "RuntimeError: payment "),
    "code_text": ("raises(CommandError('no', returncode='3'))", "no"),
    "code_float": ("raises(CommandError('no', returncode=2.5))", "no"),
    "code_huge": ("raises(CommandError('no', returncode=10 ** 30))", "no"),
    "code_odd": ("raises(Odd('no'))", "no"),
    "exit_odd": ("raises(SystemExit(Mute()))", "Mute"),
    "exit_huge": ("raises(SystemExit(10 ** 30))", "exit code 255"),
    "exit_float": ("raises(SystemExit(1.5))", "1.5"),
    "generator": ("raises(GeneratorExit())", "GeneratorExit"),
    "memory": ("raises(MemoryError())", "MemoryError"),
    "deep": ("(lambda f: f(f))(lambda f: f(f))", "RecursionError"),
    "interrupt": ("raises(KeyboardInterrupt())", "KeyboardInterrupt"),
    "long": ("raises(ValueError('x' * 50_000_000))", "ValueError: xxx"),
    "asks": ("input('sure? ')", "EOFError"),
    "asks_secret": ("getpass.getpass()", "EOFError"),
    "skips_object": ("raises(SkipRun(Mute()))", "Mute"),
    "skips_boom": ("raises(SkipRun('\\U0001f4a4 \\ud800'))", "\\ud800"),
}
# What the code of a job leaves behind, though it succeeds.
LEFT = {
    "full_stream": "sys.stdout = sys.stderr = Full()",
    "no_stream": "del sys.stdout",
    "shut_stream": "sys.__stdout__.close(); sys.__stderr__.close()",
    "rude_log": "logging.getLogger().addHandler(Rude()); logging.getLogger('scheduler_bridge').addHandler(Rude())",
    "envious": "sys.argv[:] = [Envious('x')]; sys.path.append(Envious('y'))",
    "no_argv": "del sys.argv",
    "no_path": "del sys.path",
}
MUCH = "sys.stdout.write('\\u00e9\\n' * 3_000_000)"
JOB = """
class Command(BaseCommand):
    class ScheduledJob:
        internal = {internal}
        @staticmethod
        def should_run():
            {question}
            return True
    def handle(self, *args, **options):
        {body}
"""
SETTINGS = """
from tests.acceptance.site.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "odd"]
SCHEDULER_BRIDGE = {**SCHEDULER_BRIDGE, "OUTPUT_LIMIT": 8 * 1024 * 1024}
"""


def jobs() -> dict[str, str]:
    """Return the source of each command: as a job inside the runner, as a question, and as one in its own process."""
    found = {"healthy": JOB.format(internal=True, question="pass", body="print('well')")}
    for name, (code, _said) in RAISED.items():
        found[f"in_{name}"] = JOB.format(internal=True, question="pass", body=code)
        found[f"asked_{name}"] = JOB.format(internal=True, question=code, body="print('ran')")
    for name, code in {**LEFT, "much": MUCH}.items():
        found[f"in_{name}"] = JOB.format(internal=True, question="pass", body=code)
        found[f"asked_{name}"] = JOB.format(internal=True, question=code, body="print('ran')")
    for name in ("boom", "mute", "asks"):
        found[f"out_{name}"] = JOB.format(internal=False, question="pass", body=RAISED[name][0])
    return {name: HEAD + source for name, source in found.items()}


def furnish(site: Site) -> None:
    """Add an application with these commands to the site."""
    commands = site.folder / "odd" / "management" / "commands"
    commands.mkdir(parents=True)
    for folder in (commands, commands.parent, commands.parent.parent):
        (folder / "__init__.py").touch()
    for name, source in jobs().items():
        (commands / f"{name}.py").write_text(textwrap.dedent(source))
    (site.folder / "odd_settings.py").write_text(SETTINGS)
    site.env |= {"DJANGO_SETTINGS_MODULE": "odd_settings", "PYTHONPATH": f"{site.folder}{os.pathsep}{ROOT}"}
    site.manage("migrate", "-v0")


def ask_for(site: Site, names: list[str]) -> None:
    site.script(f"[api.run_now('odd.' + name) for name in {names!r}]; print(0)")


def ends(site: Site) -> dict[str, list[Any]]:
    columns = "'job__command', 'status', 'exit_code', 'reason', 'output', 'warning'"
    code = f"[[*r[:4], r[4][-200:], r[5]] for r in Run.objects.exclude(job__command='healthy').values_list({columns})]"
    return {name: rest for name, *rest in site.query(code)}


def see_all_ended(site: Site) -> None:
    """Let each of the jobs run in one runner, each followed by a healthy one."""
    furnish(site)
    read, write = os.pipe()  # an open input, in which nobody ever writes
    runner = site.start(stdin=read)
    names = [name for name in jobs() if name != "healthy"]
    ask_for(site, [each for name in names for each in (name, "healthy")])
    still = "Run.objects.filter(status__in=['queued', 'running']).count()"
    site.wait(lambda: runner.poll() is not None or not site.query(still), 150)
    assert runner.poll() is None, site.log()[-3000:]
    os.close(write)
    os.close(read)
    found = ends(site)
    assert set(found) == set(names)
    assert len(site.runs("healthy")) == len(names)
    assert {status for (status,) in site.runs("healthy")} == {"succeeded"}
    for name, (_code, said) in RAISED.items():
        if name.startswith("skips"):
            assert found[f"asked_{name}"][0] == "skipped", name
            assert said in found[f"asked_{name}"][2], name
            continue
        status, code, reason, *_texts = found[f"in_{name}"]
        assert (status, said in reason) == ("failed", True), (name, status, code, reason)
        assert found[f"asked_{name}"][0] == "succeeded", (name, found[f"asked_{name}"])
    for name in LEFT:
        assert found[f"in_{name}"][0] == found[f"asked_{name}"][0] == "succeeded", found[f"in_{name}"]
    assert found["out_boom"][0] == found["in_boom"][0] == "failed"
    assert "EOFError" in found["out_asks"][2]
    status, _code, _reason, tail, _warning = found["in_much"]
    assert status == "succeeded"
    assert "\n" in tail
    assert site.stop(runner) == 0


def test_whatever_a_job_raises_prints_and_leaves_its_run_is_closed_and_the_next_one_runs(site):
    see_all_ended(site)


@pytest.mark.skipif(ENGINE != "mariadb", reason="only there a table has a character set of its own")
@pytest.mark.parametrize("charset", ["latin1", "utf8mb3"])
def test_so_it_is_in_a_database_of_mariadb_that_lacks_letters(tmp_path, charset):
    with on_database(tmp_path, f"CHARACTER SET {charset}") as site:
        see_all_ended(site)


@pytest.mark.skipif(ENGINE != "postgres", reason="only there a database has an encoding of its own")
@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_so_it_is_in_a_database_of_postgresql_that_lacks_letters(tmp_path, encoding):
    with on_database(tmp_path, f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0") as site:
        see_all_ended(site)
