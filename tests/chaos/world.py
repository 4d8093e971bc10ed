"""One site that is to suffer, and the account that is kept of everything asked of it."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tests.acceptance.evidence import Change, Evidence, Execution, Mark, Row, Rule

from . import servers
from .generator import fire_times, write_site
from .keeper import ROOT, Client, Keeper, Sampler, left
from .plan import Specimen

SHARED: Final = "tests.chaos.settings"
REQUESTS: Final = "tests.chaos.client"
QUIET_WITHIN: Final = 120.0  # seconds from the last change until nothing is left to do


@dataclass
class World:
    """What a fault may lay its hands on."""

    folder: Path
    jobs: tuple[Specimen, ...]
    server: Any
    environment: dict[str, str]
    client: Client
    helper: Client  # for what takes its time
    keeper: Keeper
    begins: datetime
    minutes: float
    changes: list[Change] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def retime(self, job: str, seconds: float) -> None:
        """Give a job another interval."""
        self._change(job, Rule(every=timedelta(seconds=seconds)), "retime", seconds=seconds)

    def switch(self, job: str, enabled: bool) -> None:
        """Disable a job, or let it go on with the rule it had."""
        before = next(change.rule for change in reversed(self.changes) if change.job == job and change.rule != Rule())
        self._change(job, before if enabled else Rule(), "switch", enabled=enabled)

    def run_now(self, job: str, delay: float) -> None:
        """Ask for a run; what is not answered may be queued or not."""
        with contextlib.suppress(RuntimeError):
            self.asked.append(self.client.ask("run_now", job=job, delay=delay))

    def switch_off_all(self) -> None:
        """Let nothing become due any more."""
        asked = _now()
        self.client.insist("switch_off_all")
        done = _now()
        self.changes += [Change(job=job.name, asked=asked, done=done, rule=Rule()) for job in self.jobs]

    def _change(self, job: str, rule: Rule, do: str, **words: Any) -> None:
        asked = _now()
        self.client.insist(do, job=job, **words)
        self.changes.append(Change(job=job, asked=asked, done=_now(), rule=rule))

    def wait_until_quiet(self, within: float = QUIET_WITHIN) -> None:
        """Wait until all is done that was due.

        Raises:
            TimeoutError: something still waits or runs.
        """
        deadline = time.monotonic() + within
        while unrest := self.client.insist("unrest"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not quiet after {within:.0f} s: {unrest}")
            time.sleep(0.5)

    def evidence(self) -> Evidence:
        """Collect all that is known, when nothing happens any more."""
        told = self.client.insist("tell")
        return Evidence(
            changes=tuple(self.changes),
            rows=tuple(row(values) for values in told["rows"]),
            marks=marks(self.folder),
            ledger=tuple(Execution(job=job, fire_time=moment(at), status=said) for job, at, said in told["ledger"]),
            transitions=tuple((run, was, became) for run, was, became in told["transitions"]),
            mailed=mailed(self.folder),
            asked=tuple(self.asked),
            followers={job.name: job.followers for job in self.jobs},
            processes=left(self.folder),
        )


@dataclass(frozen=True)
class Kind:
    """What the sites of a kind have in common: settings, the process that asks for things, more variables."""

    shared: str = SHARED
    requests: str = REQUESTS
    besides: Mapping[str, str] = field(default_factory=dict)


ORDINARY: Final = Kind()


@contextlib.contextmanager
def suffering(
    folder: Path, engine: str, spawn: str, jobs: Sequence[Specimen], minutes: float, kind: Kind = ORDINARY
) -> Iterator[World]:
    """Set up a site with two runners, and leave nothing alive behind."""
    with servers.serving(engine, folder) as server, suffered(folder, server, spawn, jobs, minutes, kind) as world:
        yield world


@contextlib.contextmanager
def suffered(
    folder: Path,
    server: Any,
    spawn: str,
    jobs: Sequence[Specimen],
    minutes: float,
    kind: Kind = ORDINARY,
    keeping: Callable[[dict[str, str], Path], Any] = Keeper,
) -> Iterator[World]:
    """Set up a site with two runners on a server, and leave nothing of the site alive behind."""
    begins = _now()
    write_site(folder, jobs, begins, minutes, kind.shared)
    with contextlib.ExitStack() as stack:
        environment = {**environ(folder, server.settings, spawn), **kind.besides}
        subprocess.run([sys.executable, "-P", "-m", "django", "migrate", "-v0"], env=environment, check=True)
        client, helper = (
            stack.enter_context(contextlib.closing(Client(watcher(environment), folder, kind.requests))) for _ in "12"
        )
        client.ask("watch_transitions")
        keeper = keeping(environment, folder)
        stack.callback(keeper.kill)
        rules = {job.name: rule(job, begins, minutes) for job in jobs}
        changes = [Change(job=name, asked=begins, done=_now(), rule=found) for name, found in rules.items()]
        yield World(
            folder=folder,
            jobs=tuple(jobs),
            server=server,
            environment=environment,
            client=client,
            helper=helper,
            keeper=keeper,
            begins=begins,
            minutes=minutes,
            changes=changes,
        )


def settled(world: World, within: float = QUIET_WITHIN) -> tuple[str, ...]:
    """Let what is due be done, and end the runners; give what went wrong with that."""
    found = []
    world.switch_off_all()
    for step in (lambda: world.wait_until_quiet(within), world.keeper.stop):
        try:
            step()
        except Exception as error:
            found.append(f"end: {error!r}")
    return tuple(found)


def sampled(world: World) -> Sampler:
    """Watch the processes of this world."""
    return Sampler(world.folder, lambda: world.client.ask("running"))


def environ(folder: Path, database: dict[str, Any], spawn: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "site_settings",
        "PYTHONPATH": f"{folder}:{ROOT}",
        "PYTHONUNBUFFERED": "1",
        "SITE_DATABASE": json.dumps(database),
        "SITE_FOLDER": str(folder),
        "SITE_SPAWN": spawn,
    }


def watcher(environment: dict[str, str]) -> dict[str, str]:
    """Give the environment of a process that only watches: it is none of the site's."""
    return {**environment, "SITE_FOLDER": ""}


def rule(job: Specimen, begins: datetime, minutes: float) -> Rule:
    every = None if job.every is None else timedelta(seconds=job.every)
    return Rule(every=every, at=fire_times(job, begins, minutes))


def row(values: Sequence[Any]) -> Row:
    run, job, status, cause, parent, due, started, finished, coalesced, marker, report, tries, queue = values
    return Row(
        id=run,
        job=job,
        status=status,
        cause=cause,
        parent=parent,
        scheduled_for=moment(due),
        started_at=moment(started) if started else None,
        finished_at=moment(finished) if finished else None,
        coalesced=coalesced,
        marker=marker,
        report=report,
        is_postponed=report == "due" and tries > 0,
        queue=queue,
    )


def marks(folder: Path) -> tuple[Mark, ...]:
    """Read what the jobs wrote down."""
    found = []
    for line in (folder / "trace").read_text().splitlines():
        word, job, token, marker, seconds = line.split()
        at = datetime.fromtimestamp(float(seconds), UTC)
        found.append(Mark(word=word, job=job, token=token, marker=marker.strip("-"), moment=at))
    return tuple(found)


def mailed(folder: Path) -> tuple[int, ...]:
    """Give the runs that a mail was sent about."""
    mails = folder / "mails"
    text = mails.read_text() if mails.exists() else ""
    return tuple(int(found) for found in re.findall(r"http://site\.example/admin/scheduler_bridge/run/(\d+)/", text))


def moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _now() -> datetime:
    return datetime.now(UTC)
