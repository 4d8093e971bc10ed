"""The forty jobs of a chaos run, drawn from its seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

APP: Final = "shop"
DAY_TIMES: Final = "times"


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One job: what its class says and how its code behaves."""

    command: str
    internal: bool
    every: float | None = None  # seconds
    at_seconds: tuple[int, ...] = ()  # of each minute of the window: times of day
    lasts: float = 0.0  # seconds
    habit: str = ""  # what it does besides
    timeout: float | None = None  # seconds
    followers: tuple[str, ...] = ()
    asks: bool = False  # has a should_run that says no now and then
    queue: str = ""  # of the engine that performs its runs

    @property
    def name(self) -> str:
        return f"{APP}.{self.command}"


# Habits of jobs inside and outside; each at an interval of its own, and none so often that the worker is full of it.
INSIDE: Final = (
    "raise",
    "exit",
    "interrupt",
    "transaction",
    "autocommit",
    "close",
    "chdir",
    "thread",
    "vanish",
    "fork",
)
OUTSIDE: Final = ("raise", "exit", "noise", "bytes", "stubborn", "orphan", "holder", "stopped", "signal", "silent")


def draw(random: Random) -> tuple[Specimen, ...]:
    """Give the jobs of this seed."""
    return (*plain(random), *habits(random), *timed(random), *chains(random))


def plain(random: Random) -> Iterator[Specimen]:
    for number in range(12):
        yield Specimen(
            command=f"plain{number:02}",
            internal=number % 2 == 0,
            every=random.choice((3, 4, 5, 7, 9, 11)),
            lasts=random.choice((0.0, 0.05, 0.2, 0.5)),
            asks=number % 4 == 3,
        )


def habits(random: Random) -> Iterator[Specimen]:
    for habit in INSIDE:
        # The runner dies of the one that leaves the process.
        every = 50 if habit == "vanish" else random.choice((13, 17, 19))
        yield Specimen(command=f"inside_{habit}", internal=True, every=every, lasts=0.05, habit=habit)
    for habit in OUTSIDE:
        hangs = habit in {"stubborn", "orphan", "stopped"}
        yield Specimen(
            command=f"outside_{habit}",
            internal=False,
            every=random.choice((29, 31)) if hangs else random.choice((17, 19, 23)),
            lasts=0.05,
            habit=habit,
            timeout=1 if hangs else None,
        )


def timed(random: Random) -> Iterator[Specimen]:
    for number in range(3):
        seconds = tuple(sorted(random.sample(range(60), 4)))
        yield Specimen(command=f"timed{number}", internal=number == 0, at_seconds=seconds, lasts=0.1)


def chains(random: Random) -> Iterator[Specimen]:
    every = random.choice((8, 10, 12))
    yield Specimen(command="first", internal=True, every=every, lasts=0.1, followers=(f"{APP}.second", f"{APP}.third"))
    yield Specimen(command="second", internal=False, lasts=0.1, followers=(f"{APP}.fourth",))
    yield Specimen(command="third", internal=True, lasts=0.05)
    yield Specimen(command="fourth", internal=True, lasts=0.05)
    yield Specimen(command="manual", internal=False, lasts=0.2)
