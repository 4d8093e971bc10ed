"""When something that changes in a stream is read again."""

from typing import Final

SHARE: Final = 3.0  # times as long as the last reading took


class Pace:
    """Lets readings that are not urgent rest for a while after the last one, longer where one takes long."""

    def __init__(self, rest: float) -> None:
        self._least = self._rest = rest  # seconds
        self._read_at = float("-inf")
        self._is_owed = False

    def owe(self) -> None:
        """Note that a reading is owed: something may have changed."""
        self._is_owed = True

    def read(self, begun: float, ended: float) -> None:
        """Note a reading, which paid what was owed, by its begin and its end."""
        self._is_owed, self._read_at = False, begun
        self._rest = max(self._least, SHARE * (ended - begun))

    def pause(self, monotonic: float) -> float:
        """Give the seconds until a reading is due; without end while none is owed."""
        return max(0.0, self._read_at + self._rest - monotonic) if self._is_owed else float("inf")
