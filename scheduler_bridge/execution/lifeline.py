"""What a supervisor is told after its task: until when the run may go on, and that it is to end.

Words on a pipe, a line each. The moment is one of the machine's uptime, which both ends of the pipe share.
"""

import os
from typing import Final

STOP: Final = b"stop\n"
_UNTIL: Final = b"until "


def until(moment: float) -> bytes:
    """Give the words that let a run go on until this moment."""
    return b"%s%.3f\n" % (_UNTIL, moment)


class Lifeline:
    """The supervisor's end of the pipe."""

    def __init__(self, control: int, moment: float | None) -> None:
        self.descriptor = control
        self.until = moment  # None: for as long as it takes
        self._rest = b""

    def read(self) -> str:
        """Take what has arrived; give why the run must end: "stopped", "orphaned", or nothing."""
        data = os.read(self.descriptor, 4096)
        if not data:
            return "orphaned"
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(_UNTIL):
                self.until = float(line.removeprefix(_UNTIL))
        return "stopped" if STOP.strip() in lines else ""
