"""The clock of this machine that nobody sets, and that goes on while the machine or a process sleeps."""

import time


def uptime() -> float:
    """Give the seconds since the machine was started (CLOCK_BOOTTIME); all its processes see the same."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
