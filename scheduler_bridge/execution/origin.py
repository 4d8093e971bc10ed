"""How this process was started, so that its children are started likewise."""

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

# By these systemd speaks with the runner alone (sd_notify(3)).
PRIVATE: Final = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Interpreter, folder and environment of this process, noted before a job can change them."""

    head: tuple[str, ...]  # interpreter, its flags, and the project's way to run a command
    cwd: str
    environment: Mapping[str, str]

    @classmethod
    def from_process(cls, hidden: Sequence[str] = ()) -> "Origin":
        """Note how this process was started.

        Args:
            hidden: names of variables that the children do not get, or patterns of names as a shell has them.
        """
        path = [os.path.abspath(sys.path[0] or os.curdir), os.environ.get("PYTHONPATH", "")]
        return cls._noted(_way_in(), path, hidden)

    @classmethod
    def from_worker(cls, hidden: Sequence[str] = ()) -> "Origin":
        """Note how to start commands from an engine's worker, whose own program may know none.

        Args:
            hidden: names of variables that the children do not get, or patterns of names as a shell has them.
        """
        # The engine may have found the project by a path of its own making.
        path = [os.path.abspath(entry or os.curdir) for entry in sys.path if not entry.endswith(".zip")]
        return cls._noted(_way_in(), [entry for entry in path if entry not in _interpreters_own()], hidden)

    @classmethod
    def _noted(cls, way_in: tuple[str, ...], path: Sequence[str], hidden: Sequence[str]) -> "Origin":
        # The flags -X, -W, -B and their like do not pass to a child by themselves.
        flags = vars(subprocess)["_args_from_interpreter_flags"]()
        environment = {
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
            "NO_COLOR": "1",
            **{name: value for name, value in os.environ.items() if not _is_hidden(name, hidden)},
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
        }
        return cls(head=(sys.executable, *flags, *way_in), cwd=os.getcwd(), environment=environment)


def _interpreters_own() -> set[str]:
    paths = sysconfig.get_paths()
    own = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    return own | {os.path.join(folder, "lib-dynload") for folder in own}


def _is_hidden(name: str, hidden: Sequence[str]) -> bool:
    return name in PRIVATE or any(fnmatchcase(name, pattern) for pattern in hidden)


def _way_in() -> tuple[str, ...]:
    """Give the project's own manage.py, which may do more than Django's, or Django's own way in."""
    script = Path(sys.argv[0])
    try:
        text = script.read_text(errors="replace") if script.is_file() else ""
        if "execute_from_command_line" in text and script.name != "__main__.py":
            return (str(script.resolve()),)
    except OSError:
        pass
    return ("-m", "django")
