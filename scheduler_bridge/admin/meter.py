"""A bar that fills: geometry for SVG, in percent of its length."""

from dataclasses import dataclass
from datetime import timedelta

from ..past import Usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How far a bar is filled, and where it has marks."""

    filled: str
    marks: tuple[str, ...] = ()


def of_share(share: float) -> Meter:
    """Fill a bar by a share from 0 to 1."""
    return Meter(filled=_percent(share))


def of_run(elapsed: timedelta, usual: Usual) -> Meter | None:
    """Fill a bar by the time a run takes, marked at its usual time; None when that is not known.

    Its end is what nearly all runs keep to; a run that takes longer fills all of it, and the mark moves.
    """
    if usual.median is None or usual.p95 is None:
        return None
    end = max(elapsed, usual.p95, timedelta(microseconds=1))
    marks = {_percent(span / end) for span in (usual.median, usual.p95) if span < end}
    return Meter(filled=_percent(elapsed / end), marks=tuple(sorted(marks)))


def _percent(share: float) -> str:
    return f"{100 * min(1.0, max(0.0, share)):.1f}"
