"""What everything in the agent shares, and outlives its links."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tpconfig.agent import describe, resolve
from tpconfig.agent.log import Log
from tpconfig.agent.lookup import Lookup
from tpconfig.agent.readiness import Readiness
from tpconfig.agent.settings import Settings


class OverError(Exception):
    """Ends the tasks of something that has ended in good order."""


@dataclass(slots=True)
class Pod:
    """The Pod, as the agent knows it.

    ``grace_s`` is how long it stays ready without a link, as the last peer said.
    """

    settings: Settings
    log: Log
    forwarder: resolve.Forwarder
    readiness: Readiness = field(default_factory=Readiness)
    lookup: Lookup = field(default_factory=Lookup)
    grace_s: float = 0.0
    _leaving: asyncio.TimerHandle | None = None

    def attended(self, *, ready: bool) -> None:
        """Take a peer's word for whether traffic should come."""
        self._keep()
        self.readiness.set(ready)

    def unattended(self, *, gone_s: float = 0.0) -> None:
        """Be not ready after the grace, unless a peer says otherwise before.

        ``gone_s``: for how long the peer has been gone already. A grace that has begun goes on.
        """
        left_s = self.grace_s - gone_s
        if left_s <= 0:
            self._keep()
            self.readiness.set(False)
        elif self.readiness.value and self._leaving is None:
            self._leaving = asyncio.get_running_loop().call_later(left_s, self._leave)

    def _leave(self) -> None:
        self._leaving = None
        self.log.write("grace-over")
        self.readiness.set(False)

    def _keep(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None


def find(settings: Settings, log: Log) -> Pod:
    """Return the Pod that this process runs in."""
    servers = resolve.nameservers(describe.read_text(settings.resolv_conf))
    return Pod(settings, log, resolve.Forwarder(servers, port=settings.dns_port))
