import subprocess
import sys

import pytest

from scheduler_bridge import identity
from scheduler_bridge.execution import mark
from scheduler_bridge.models import Run

SHOW = """
import os, psutil
from scheduler_bridge.execution.mark import Face
face = Face.find()
child = os.fork()
if child == 0:
    face.show({marker!r}, {words!r})
    process = psutil.Process()
    print(process.environ()["SCHEDULER_BRIDGE_RUN"], "".join(process.cmdline()[:3]), os.environ["SCHEDULER_BRIDGE_RUN"])
    os._exit(0)
os.waitpid(child, 0)
print(psutil.Process().environ()["SCHEDULER_BRIDGE_RUN"] == "-" * 117)
"""


def show(marker: str, words: list[str], environment: dict[str, str]) -> str:
    code = SHOW.format(marker=marker, words=words)
    command = [sys.executable, "-u", "-c", code, mark.ROOM]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return found.stdout + found.stderr.splitlines()[-1] if found.returncode else found.stdout


def place() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(sys.path), "BEFORE": "1"}


def test_a_forked_process_shows_a_mark_and_a_command_line_of_its_own():
    shown = show("token/1@now", ["python", "manage.py", "say"], mark.reserved(place()))
    assert shown == "token/1@now pythonmanage.pysay token/1@now\nTrue\n"


def test_what_is_too_long_is_cut_and_harms_nothing():
    longest = mark.proved("m" * 100, "d" * identity.LENGTH)
    shown = show(longest + "more", ["x" * 100_000], mark.reserved(place()))
    assert shown.startswith(longest + " xxx")
    assert shown.endswith("True\n")


def test_a_program_without_a_reserved_place_is_told_so():
    assert "ValueError" in show("m", [], place())


def test_the_longest_mark_of_a_run_and_its_proof_fit():
    longest = mark.proved("m" * Run._meta.get_field("marker").max_length, "d" * identity.LENGTH)
    assert len(longest) == mark.LONGEST


@pytest.mark.parametrize(
    ("carried", "marker", "belongs"),
    [
        ("token/5", "token/5", True),  # an older version started it, or nothing told which database it was
        ("token/5#one", "token/5", True),
        ("token/5@20261129T120000.0#one", "token/5", False),  # that of job 5, not of run 5
        ("token/5@20261129T120000.0#one", "token/5@20261129T120000.0", True),
        ("token/55#one", "token/5", False),
        ("", "token/5", False),
    ],
)
def test_the_proof_tells_nothing_of_the_run(carried, marker, belongs):
    assert mark.is_of(carried, marker) == belongs


def test_without_knowing_the_database_nothing_is_proved():
    assert mark.proved("token/5", "") == "token/5"
    assert mark.proved("token/5", "one") != mark.proved("token/5", "two")
