"""Renewing the lease, and looking who else waits for it."""

from collections.abc import Callable
from datetime import UTC, datetime

from . import lease
from .execution.uptime import uptime
from .fence import Fence
from .lease import Identity
from .standby import Rivals


class Renewal:
    """Renews the lease and tells the fence; safe from any thread."""

    def __init__(self, me: Identity, fence: Fence, loop_at: Callable[[], tuple[datetime, float] | None]) -> None:
        self._me, self._fence, self._loop_at = me, fence, loop_at
        self._rivals = Rivals(me)

    def renew(self) -> int | None:
        """Renew the lease; give the revision of all changes where that costs no statement of its own.

        Raises:
            LeaseLost: another process has taken it.
        """
        lease.see_file()
        sent, turn = uptime(), self._loop_at()
        revision = lease.renew(self._me, datetime.now(UTC), turn[0] if turn else None)
        # Looked for last: who is not there yet has seen a heartbeat that is no older than this one.
        rivals = self._rivals.look(uptime())
        self._fence.renewed(sent, uptime(), rivals)
        return revision

    def freshen(self) -> None:
        """Renew a lease that may be over, before a run is begun by the right of it.

        Raises:
            LeaseLost: another process has taken it.
        """
        lease.see_file()
        if self._fence.age(uptime()) > lease.BEAT_IDLE:
            self.renew()
