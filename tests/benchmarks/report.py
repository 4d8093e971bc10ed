"""The figures as a Markdown page and as JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from .figures import Chapter, Figure

MEDIANS = (
    "Medians; in brackets the 10th and 90th percentile, then the 99th and the number of samples; "
    'of few samples, with "to" between them, the least and the most.'
)


def write(folder: Path, machine: Mapping[str, str], chapters: Sequence[Chapter]) -> None:
    """Write all that is known so far, so that a run that is cut short leaves its figures too."""
    content = {"machine": dict(machine), "chapters": [asdict(chapter) for chapter in chapters]}
    (folder / "results.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    (folder / "results.md").write_text(markdown(machine, chapters))


def markdown(machine: Mapping[str, str], chapters: Iterable[Chapter]) -> str:
    """Give the page: the machine and all versions, then one table for each chapter."""
    lines = ["# Benchmarks", "", MEDIANS, "", "| what | version |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in machine.items()]
    for chapter in chapters:
        lines += ["", f"## {chapter.title}", "", *table(chapter.figures)]
    return "\n".join(lines) + "\n"


def table(figures: Sequence[Figure]) -> list[str]:
    """Give one row for each quantity and system, one column for each database, and the notes."""
    listed = [figure for figure in figures if not figure.curve]
    databases = list(dict.fromkeys(figure.database for figure in listed))
    rows: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in listed:
        rows.setdefault((figure.what, figure.who), {})[figure.database] = figure
    lines = [f"| what | who | {' | '.join(databases)} | note |", f"|---|---|{'---|' * len(databases)}---|"]
    for (what, who), cells in rows.items():
        texts = [cell(cells[name]) if name in cells else "" for name in databases]
        notes = dict.fromkeys(figure.note for figure in cells.values() if figure.median is not None and figure.note)
        lines.append(f"| {what} | {who} | {' | '.join(texts)} | {'; '.join(notes)} |")
    return lines


def cell(figure: Figure) -> str:
    """Give one figure as text: median, 10th and 90th percentile, 99th or the extremes, number of samples."""
    if figure.median is None:
        return escaped(figure.note)
    text = f"{number(figure.median)} {figure.unit}".rstrip()
    if figure.n == 1 or figure.p10 is None or figure.p90 is None or figure.p99 is None:
        return text
    if figure.extremes and figure.best is not None and figure.worst is not None:
        return f"{text} ({number(figure.best)} to {number(figure.worst)}), n {figure.n}"
    return f"{text} ({number(figure.p10)}–{number(figure.p90)}), p99 {number(figure.p99)}, n {figure.n}"


def number(value: float) -> str:
    """Give three significant digits, and thousands with a comma."""
    if abs(value) >= 100 or value == 0:
        return f"{value:,.0f}"
    if abs(value) < 1:
        return f"{value:.6f}".rstrip("0") if abs(value) < 0.001 else f"{value:.3f}"
    return f"{value:.{1 if abs(value) >= 10 else 2}f}"


def escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
