"""The command: measure everything, or one chapter, in one run."""

import argparse
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from . import machine, plot, report
from .bench import Bench
from .figures import Chapter, Figure, absent
from .generator import write_site

CHAPTERS = (
    "external",
    "internal",
    "lateness",
    "idle",
    "growth",
    "history",
    "reaction",
    "output",
    "memory",
    "takeover",
    "forecast",
    "scale",
)


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # databases are dropped then too
    options = parse()
    folder = (options.out or Path(tempfile.mkdtemp(prefix="benchmarks-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    print(f"the results go to {folder}", flush=True)
    work = Path(tempfile.mkdtemp(prefix="benchmarks-work-"))
    try:
        measure(prepare(work, options), options.only or CHAPTERS, folder)
    finally:
        for log in work.glob("*.log"):
            shutil.copy(log, folder)
        shutil.rmtree(work)
    print((folder / "results.md").read_text())
    print(f"written to {folder}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, help="folder for the results; default: a new one in the temporary folder")
    parser.add_argument("--only", action="append", choices=CHAPTERS, help="measure this chapter; may be repeated")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    size.add_argument("--full", action="store_true", help="the largest history too: ten million runs")
    return parser.parse_args()


def prepare(work: Path, options: argparse.Namespace) -> Bench:
    return Bench(
        folder=work,
        site=write_site(work / "site"),
        engines=machine.engines(),
        quick=options.quick,
        full=options.full,
        ways=ways(),
    )


def ways() -> tuple[str, ...]:
    """Give the ways in which this scheduler_bridge can start external jobs."""
    from scheduler_bridge import conf

    return ("auto", "exec") if "SPAWN" in conf.KEYS else ()


def measure(bench: Bench, names: tuple[str, ...] | list[str], folder: Path) -> None:
    facts = machine.describe(bench.engines) | {"size": "quick" if bench.quick else "full" if bench.full else "normal"}
    chapters: list[Chapter] = []
    for name in names:
        before = time.monotonic()
        module = import_module(f"{__package__}.{name}")
        figures = tuple(shown(safely(module.measure(bench))))
        facts[f"minutes for {name}"] = f"{(time.monotonic() - before) / 60:.1f}"
        chapters.append(Chapter(name=name, title=module.TITLE, figures=figures))
        report.write(folder, facts, chapters)
        plot.write(folder, chapters)


def shown(figures: Iterator[Figure]) -> Iterator[Figure]:
    """Print each figure as it comes: a whole run takes its time."""
    for figure in figures:
        print(f"  {figure.what} | {figure.who} | {figure.database} | {report.cell(figure)}", flush=True)
        yield figure


def safely(figures: Iterator[Figure]) -> Iterator[Figure]:
    """Let a chapter that fails say so, and the others go on."""
    try:
        yield from figures
    except Exception as error:
        traceback.print_exc()
        yield absent("the rest of this chapter", "-", f"failed: {error!r}"[:300])


if __name__ == "__main__":
    main()
