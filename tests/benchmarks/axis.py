"""An axis of a picture: where a value lies on it, and what its grid says."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

PARTS = 5  # into which a straight axis is cut, about
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis whose ends are its first and its last tick."""

    ticks: tuple[float, ...]
    logarithmic: bool

    @classmethod
    def decades(cls, values: Sequence[float]) -> "Axis":
        """Give the powers of ten around these values."""
        low, high = floor(log10(min(values))), ceil(log10(max(values)))
        return cls(tuple(10.0**power for power in range(low, max(high, low + 1) + 1)), True)

    @classmethod
    def straight(cls, values: Sequence[float]) -> "Axis":
        """Start at nothing, so that growth looks as large as it is, and end above these values."""
        step = rounded(max(values) / PARTS)
        return cls(tuple(step * number for number in range(ceil(max(values) / step) + 1)), False)

    def share(self, value: float) -> float:
        """Give how far along the axis a value lies, from 0 to 1."""
        low, high = self._placed(self.ticks[0]), self._placed(self.ticks[-1])
        return (self._placed(value) - low) / (high - low)

    def _placed(self, value: float) -> float:
        return log10(value) if self.logarithmic else value


def rounded(step: float) -> float:
    """Give the next round number: 1, 2 or 5, with zeros."""
    power = 10.0 ** floor(log10(step))
    return next(power * factor for factor in STEPS if power * factor >= step)
