"""What systemd is told: ready, alive, stopping, and a line on the state; silent where nobody listens.

The protocol is that of sd_notify(3): one datagram to the socket named in ``NOTIFY_SOCKET``.
"""

import os
import socket


def notify(*lines: str) -> None:
    """Send lines such as ``READY=1``; a manager that is gone is no reason to stop."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto("\n".join(lines).encode(), address)
        except OSError:
            return


def watchdog_pause() -> float | None:
    """Give the seconds between two signs of life that systemd expects, halved as its manual advises."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or os.environ.get("WATCHDOG_PID") not in {None, str(os.getpid())}:
        return None
    return int(microseconds) / 2_000_000
