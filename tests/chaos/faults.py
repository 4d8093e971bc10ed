"""What is done to a site to break it; each fault ends by itself."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import psutil

from .keeper import marked
from .mail import REFUSING
from .world import World

Deed = Callable[[World, Random], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break things."""

    name: str
    do: Deed
    weight: int = 2
    engines: tuple[str, ...] = ("sqlite", "postgres", "mariadb")


def send(world: World, number: int) -> None:
    """Send a signal to the process that is the runner."""
    pid = world.client.insist("holder")
    if pid in world.keeper.pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def kill_runner(world: World, random: Random) -> None:
    send(world, signal.SIGKILL)


def terminate_runner(world: World, random: Random) -> None:
    send(world, signal.SIGTERM)


def terminate_twice(world: World, random: Random) -> None:
    send(world, signal.SIGTERM)
    time.sleep(random.uniform(0, 0.3))
    send(world, signal.SIGTERM)


def hang_up(world: World, random: Random) -> None:
    send(world, signal.SIGHUP)


def kill_both(world: World, random: Random) -> None:
    """Let both start again at the same instant."""
    for pid in world.keeper.pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def cut_the_power(world: World, random: Random) -> None:
    """Kill the runners with all that they started, all at once."""
    doomed: list[psutil.Process] = []
    for pid in world.keeper.pids():
        with contextlib.suppress(psutil.NoSuchProcess):
            runner = psutil.Process(pid)
            doomed.append(runner)
            doomed += runner.children(recursive=True)
    doomed += [process for process, _ in marked(world.folder)]
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
    for process in doomed:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def freeze(world: World, seconds: float) -> None:
    pid = world.client.insist("holder")
    if pid not in world.keeper.pids():
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)


def freeze_shortly(world: World, random: Random) -> None:
    freeze(world, random.uniform(1, 5))


def freeze_past_the_lease(world: World, random: Random) -> None:
    freeze(world, 18)


def kill_a_child(world: World, random: Random) -> None:
    """Kill the launcher, what it has loaded, or a supervisor."""
    pid = world.client.insist("holder")
    with contextlib.suppress(psutil.NoSuchProcess, ValueError):
        children = sorted(psutil.Process(pid).children(recursive=True), key=lambda child: child.pid) if pid else []
        if children:
            random.choice(children).kill()


def kill_a_job(world: World, random: Random) -> None:
    found = [process for process, _ in marked(world.folder)]
    if found:
        with contextlib.suppress(psutil.NoSuchProcess):
            random.choice(found).kill()


def cut_connections(world: World, random: Random) -> None:
    with contextlib.suppress(RuntimeError):
        world.helper.ask("cut")


def restart_database(world: World, random: Random) -> None:
    world.server.stop()
    time.sleep(random.choice((0, 0.5, 4)))
    world.server.start()


def lock_tables(world: World, random: Random) -> None:
    with contextlib.suppress(RuntimeError):
        world.helper.ask("lock", seconds=random.choice((0.5, 2, 6)))


FULL: Final = {
    "postgres": (
        "CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$",
        "CREATE TRIGGER disk_is_full BEFORE INSERT OR UPDATE ON scheduler_bridge_run "
        "FOR EACH ROW EXECUTE FUNCTION disk_is_full()",
    ),
    "mariadb": tuple(
        f"CREATE TRIGGER disk_is_full_{event} BEFORE {event} ON scheduler_bridge_run FOR EACH ROW "
        "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021, MESSAGE_TEXT = 'Disk full'"
        for event in ("INSERT", "UPDATE")
    ),
}
FREE: Final = {
    "postgres": ("DROP TRIGGER disk_is_full ON scheduler_bridge_run", "DROP FUNCTION disk_is_full"),
    "mariadb": ("DROP TRIGGER disk_is_full_INSERT", "DROP TRIGGER disk_is_full_UPDATE"),
}
ROOM: Final = 4096  # bytes that a file may have


@contextlib.contextmanager
def full_disk(world: World) -> Iterator[None]:
    """Let no run be recorded: a file may not grow, or a server says what it says when its disk is full."""
    if world.server.engine in FULL:
        for statement in FULL[world.server.engine]:
            world.client.insist("execute", statement=statement)
        yield
        for statement in FREE[world.server.engine]:
            world.client.insist("execute", statement=statement)
        return
    for log in world.folder.glob("runner?.log"):
        os.truncate(log, 0)  # what the runner says of it is to fit into so small a file as well
    runner = psutil.Process(world.client.insist("holder"))
    before = runner.rlimit(psutil.RLIMIT_FSIZE)
    runner.rlimit(psutil.RLIMIT_FSIZE, (ROOM, before[1]))
    yield
    runner.rlimit(psutil.RLIMIT_FSIZE, before)


def refuse_mail(world: World, random: Random) -> None:
    (world.folder / REFUSING).touch()
    time.sleep(random.uniform(1, 4))
    (world.folder / REFUSING).unlink()


def time_anew(world: World, random: Random) -> None:
    job = random.choice([job for job in world.jobs if job.every and not job.habit])
    world.retime(job.name, random.choice((2, 3, 4, 6)))


def switch(world: World, random: Random) -> None:
    job = random.choice([job for job in world.jobs if job.every and not job.habit])
    world.switch(job.name, False)
    time.sleep(random.uniform(0, 3))
    world.switch(job.name, True)


def ask_for_runs(world: World, random: Random) -> None:
    for _ in range(random.randint(1, 6)):
        world.run_now(random.choice([job for job in world.jobs if not job.habit]).name, random.choice((0, 0, 2)))


def hold(world: World, random: Random) -> None:
    world.client.insist("hold")
    time.sleep(random.uniform(0.5, 4))
    world.client.insist("resume", pending=random.choice(("run", "skip")))


def migrate(world: World, random: Random) -> None:
    command = [sys.executable, "-P", "-m", "django", "migrate", "-v0"]
    subprocess.run(command, env=world.environment, capture_output=True, check=False, timeout=120)


SERVERS: Final = ("postgres", "mariadb")
FAULTS: Final = (
    Fault("kill -9 of the runner", kill_runner, weight=4),
    Fault("SIGTERM to the runner", terminate_runner, weight=3),
    Fault("SIGTERM twice", terminate_twice),
    Fault("SIGHUP to the runner", hang_up, weight=1),
    Fault("kill -9 of both runners", kill_both),
    Fault("power cut", cut_the_power),
    Fault("frozen for a moment", freeze_shortly),
    Fault("frozen past the lease", freeze_past_the_lease, weight=1),
    Fault("kill -9 of a process of the runner's", kill_a_child, weight=3),
    Fault("kill -9 of a process of a job", kill_a_job, weight=3),
    Fault("connections cut", cut_connections, weight=4, engines=SERVERS),
    Fault("database crashed and started again", restart_database, weight=3, engines=SERVERS),
    Fault("tables locked", lock_tables, weight=3),
    Fault("mail refused", refuse_mail),
    Fault("a job timed anew", time_anew, weight=3),
    Fault("a job disabled and enabled", switch, weight=2),
    Fault("runs asked for", ask_for_runs, weight=4),
    Fault("hold and resume", hold, weight=2),
    Fault("migrate", migrate, weight=1),
)


def choose(random: Random, engine: str, faults: Sequence[Fault]) -> Fault:
    """Draw a fault that this database can suffer."""
    known = [fault for fault in faults if engine in fault.engines]
    return random.choices(known, [fault.weight for fault in known])[0]
