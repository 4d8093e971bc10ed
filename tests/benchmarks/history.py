"""What a long history costs: runs, pages of the admin, pruning."""

from collections.abc import Iterator

from .bench import NAMES, Bench
from .databases import TITLES
from .figures import Figure, sampled

TITLE = "Growth: the history"
PARTS = (
    ("perform", "one internal run"),
    ("claim", "claim"),
    ("close", "close"),
    ("runs", "admin: list of runs"),
    ("filtered", "admin: list of runs, failed ones"),
    ("of_job", "admin: list of runs of one job"),
    ("mixed", "admin: list of runs, failed ones asked for by hand"),
    ("middle", "admin: list of runs, a page in the middle"),
    ("last", "admin: list of runs, the last page"),
    ("jobs", "admin: list of jobs"),
    ("job", "admin: page of a job"),
    ("nothing", "prune, nothing is old"),
    ("prune", "prune, 5,000 runs are old"),
)


def measure(bench: Bench) -> Iterator[Figure]:
    for engine in bench.main_engines:
        for size in sizes(bench):
            yield from at_size(bench, engine, size)


def at_size(bench: Bench, engine: str, size: int) -> Iterator[Figure]:
    """Give all figures at one size, each size in a database of its own: in a history the old runs come first."""
    with bench.place(engine) as place:
        yield one("fill it by SQL", [place.probe("fill", size)], size, engine, "s")
        result = place.probe("history", bench.choose(50, 10))
    for key, what in PARTS:
        yield one(what, result[key], size, engine, "ms")


def sizes(bench: Bench) -> tuple[int, ...]:
    if bench.quick:
        return 1_000, 10_000
    return 10_000, 100_000, 1_000_000, *((10_000_000,) if bench.full else ())


def one(what: str, values: list[float], size: int, engine: str, unit: str) -> Figure:
    note = "" if unit == "ms" else "preparation"
    figure_size = size if unit == "ms" else None
    title = f"{what} at {size:,} runs"
    return sampled(title, NAMES["bridge"], values, unit, database=TITLES[engine], size=figure_size, note=note)
