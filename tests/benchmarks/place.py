"""A place to measure in: the project, one scheduler, one database; everything is gone afterwards."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from .databases import Database
from .processes import Process, wait_for

ROOT = Path(__file__).parents[2]  # where the package tests is found
COMMANDS = {
    "bridge": (("manage.py", "runapscheduler"),),
    "q2": (("manage.py", "qcluster"),),
    "celery": (
        ("-m", "celery", "-A", "config", "worker", "-c", "1", "--loglevel", "WARNING"),
        ("-m", "celery", "-A", "config", "beat", "--loglevel", "WARNING"),
    ),
}
NUMBERS = count(1)


@dataclass
class Place:
    """The project with one scheduler on one database of its own."""

    site: Path
    folder: Path
    engine: str
    system: str = "bridge"
    extra: Mapping[str, str] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    number: int = field(default_factory=lambda: next(NUMBERS))

    def __enter__(self) -> "Place":
        self.database = Database.new(self.engine, self.folder)
        self.database.create()
        try:
            self.manage("migrate", "--verbosity", "0")
        except BaseException:
            self.database.drop()
            raise
        return self

    def __exit__(self, *details: object) -> None:
        self.stop()
        self.database.drop()
        if self.system == "celery":
            forget_keys(self.prefix)

    @property
    def prefix(self) -> str:
        """Give what the names of all keys in Redis begin with."""
        return f"{Path(self.database.name).stem}:"

    @property
    def trace_file(self) -> Path:
        return self.folder / f"trace{self.number}"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.number}-{self.system}-{self.engine}.log"

    def environment(self, **values: str) -> dict[str, str]:
        given = {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": f"{self.site}:{ROOT}",
            "BENCH_SYSTEM": self.system,
            "BENCH_PREFIX": self.prefix,
            "BENCH_TRACE": str(self.trace_file),
        }
        return {**os.environ, **given, **self.database.environment, **self.extra, **values}

    def manage(self, *words: str) -> None:
        self._run([sys.executable, "manage.py", *words])

    def probe(self, name: str, *words: object, **values: str) -> Any:
        """Run a module of `probes` with this project loaded and give what it prints last, as JSON."""
        command = [sys.executable, "-m", f"tests.benchmarks.probes.{name}", *map(str, words)]
        return json.loads(self._run(command, **values).splitlines()[-1])

    def _run(self, command: list[str], **values: str) -> str:
        done = subprocess.run(command, env=self.environment(**values), cwd=self.site, capture_output=True, text=True)
        with self.log.open("a") as log:
            log.write(done.stderr)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:] or done.stdout[-2000:]}")
        return done.stdout

    def start(self, **values: str) -> list[Process]:
        """Start the scheduler's processes as its documentation says."""
        commands = [[sys.executable, *words] for words in COMMANDS[self.system]]
        return [self.launch(command, **values) for command in commands]

    def launch(self, command: list[str], **values: str) -> Process:
        process = Process(command, self.environment(**values), self.site, self.log)
        self.processes.append(process)
        return process

    def launch_probe(self, name: str, *words: object, **values: str) -> Process:
        """Start a probe that stays."""
        return self.launch([sys.executable, "-m", f"tests.benchmarks.probes.{name}", *map(str, words)], **values)

    def stop(self) -> None:
        while self.processes:
            self.processes.pop().stop()

    def trace(self, word: str) -> list[float]:
        """Give the moments that the work wrote down under this word."""
        return [float(moment) for name, moment, _ in self.trace_lines() if name == word]

    def trace_lines(self) -> list[list[str]]:
        with contextlib.suppress(FileNotFoundError):
            return [line.split() for line in self.trace_file.read_text().splitlines()]
        return []

    def wait_for_trace(self, word: str, seconds: float = 120) -> None:
        """Wait until the work has written something down under this word."""
        wait_for(lambda: self.trace(word), seconds, f"{word} under {self.system}, see {self.log.name}")

    def forget_trace(self) -> None:
        self.trace_file.unlink(missing_ok=True)


def forget_keys(prefix: str) -> None:
    """Delete the keys that a place left in Redis."""
    import redis

    server = redis.Redis()
    for key in server.scan_iter(f"{prefix}*"):
        server.delete(key)
