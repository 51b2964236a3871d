"""What everything in the agent shares, and outlives its links."""

from __future__ import annotations

from dataclasses import dataclass, field

from tpconfig.agent import describe, resolve
from tpconfig.agent.log import Log
from tpconfig.agent.lookup import Lookup
from tpconfig.agent.readiness import Readiness
from tpconfig.agent.settings import Settings


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


def find(settings: Settings, log: Log) -> Pod:
    """Return the Pod that this process runs in."""
    servers = resolve.nameservers(describe.read_text(settings.resolv_conf))
    return Pod(settings, log, resolve.Forwarder(servers, port=settings.dns_port))
