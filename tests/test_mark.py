import subprocess
import sys

from scheduler_bridge.execution import mark

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
print(psutil.Process().environ()["SCHEDULER_BRIDGE_RUN"] == "-" * 100)
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
    shown = show("m" * 100, ["x" * 100_000], mark.reserved(place()))
    assert shown.startswith("m" * 100 + " xxx")
    assert shown.endswith("True\n")


def test_a_program_without_a_reserved_place_is_told_so():
    assert "ValueError" in show("m", [], place())
