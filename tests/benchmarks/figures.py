"""What was measured, as values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured quantity of one system on one database; without a median the note says why there is none."""

    what: str
    who: str
    database: str = "-"
    unit: str = ""
    n: int = 0
    median: float | None = None
    p10: float | None = None
    p90: float | None = None
    p99: float | None = None
    best: float | None = None
    worst: float | None = None
    extremes: bool = False  # few samples: the least and the most tell more than percentiles
    size: int | None = None  # of the history or the list of jobs, where cost is plotted against it
    curve: str = ""  # the picture with straight axes that this is a point of; drawn, not listed
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """The figures of one theme."""

    name: str
    title: str
    figures: tuple[Figure, ...]


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value below which this share of all values lies, with straight lines between neighbours."""
    if not values:
        raise ValueError("expected one value or more, got none")
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    lower = floor(place)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (place - lower)


def sampled(
    what: str,
    who: str,
    values: Sequence[float],
    unit: str,
    *,
    database: str = "-",
    size: int | None = None,
    note: str = "",
) -> Figure:
    """Summarise samples; without any the figure says so."""
    if not values:
        return absent(what, who, note or "nothing was measured", database=database)
    return Figure(
        what=what,
        who=who,
        database=database,
        unit=unit,
        n=len(values),
        median=percentile(values, 0.5),
        p10=percentile(values, 0.1),
        p90=percentile(values, 0.9),
        p99=percentile(values, 0.99),
        best=min(values),
        worst=max(values),
        size=size,
        note=note,
    )


def spanned(what: str, who: str, values: Sequence[float], unit: str, *, database: str = "-", note: str = "") -> Figure:
    """Summarise few samples: the least and the most are shown beside the median."""
    return replace(sampled(what, who, values, unit, database=database, note=note), extremes=True)


def absent(what: str, who: str, why: str, *, database: str = "-") -> Figure:
    """Say why there is no figure."""
    return Figure(what=what, who=who, database=database, note=why)
