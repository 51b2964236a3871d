"""Workloads of one session call each other from here to here, not through the cluster and back.

What a process connects to is the address of a Service. Where a workload of the same session
answers in its place, that workload's process is on this machine, and two round trips to the cluster
are none. Connections only: datagrams take the way through the Pod.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from tpconfig.model.observed import Observed
from tpconfig.model.target import PodPort
from tpconfig.planner import ports
from tpconfig.session.hosted import Hosted
from tpconfig.tunnel.conversations import Address
from tpconfig.tunnel.outbound import Dial


@dataclass(slots=True)
class Neighbours:
    """Knows what the hosted workloads are called at, and connects to them."""

    hosted: Mapping[str, Hosted]
    _known: dict[Address, tuple[str, PodPort]] = field(default_factory=dict)

    def learn(self, world: Observed) -> None:
        """Take over where callers go now; only the workloads that are linked have a container."""
        self._known = {
            address: (name, port)
            for name, one in self.hosted.items()
            for facts in world.workloads
            if one.pod is not None and facts.target == one.workload.target
            for container in facts.containers
            if container.name == one.pod.container
            for address, port in ports.called_at(container, facts).items()
        }

    def dial(self, address: Address) -> Dial | None:
        """Return what connects to who answers at an address; ``None`` where nobody here does."""
        name, port = self._known.get(address, ("", None))
        one = self.hosted.get(name)
        if one is None or port is None or not one.serving:
            return None
        if any(pair.pod == port and pair.proxy_protocol for pair in one.ports):
            return None  # it is told who calls, in the cluster's addresses
        return partial(one.dial, port)
