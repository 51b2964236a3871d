"""Joins the tunnel to this machine: what processes send goes out, what callers send comes in."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tpconfig.clock import SystemClock
from tpconfig.local.keeper import Keeper, connect_loopback
from tpconfig.local.redirect import open_redirect
from tpconfig.model.desired import Destination, Outbound
from tpconfig.model.target import PodPort
from tpconfig.tunnel.dns import PodResolver, Remembered, Resolver
from tpconfig.tunnel.link import Link
from tpconfig.tunnel.machinedns import MachineResolver
from tpconfig.tunnel.outbound import open_outbound
from tpconfig.tunnel.policy import Policy


@dataclass(slots=True)
class Dialer:
    """Finds who serves a port of the Pod here: in the workload's own network, else the machine's.

    A process that an IDE has started listens on the machine's localhost.
    """

    keeper: Callable[[], Keeper | None]
    local: dict[PodPort, int] = field(default_factory=dict)

    async def dial(self, port: PodPort) -> socket.socket | None:
        """Return a socket connected to whoever serves the port; ``None`` where nobody does."""
        number = self.local.get(port)
        if number is None:
            return None
        keeper = self.keeper()
        if port.protocol == "udp":
            return await keeper.connect_udp(number) if keeper is not None else None
        if keeper is not None and (found := await keeper.connect(number)) is not None:
            return found
        return await connect_loopback(number, _machine_socket)


@asynccontextmanager
async def open_redirection(
    keeper: Keeper, link: Link, outbound: Outbound, api_server: str
) -> AsyncIterator[None]:
    """Give what a keeper's processes send to the tunnel while the block runs."""
    remembered = Remembered(SystemClock())
    policy = Policy(with_api_server(outbound, api_server), remembered)
    resolver = Resolver(
        pod=PodResolver(link).ask,
        machine=MachineResolver().ask,
        route=policy.of_name,
        remembered=remembered,
        default=policy.default,
    )
    async with (
        open_outbound(link, route=policy.of_address) as carried,
        open_redirect(keeper, tcp=carried.tcp, udp=carried.udp, dns=resolver.answer),
    ):
        yield


def with_api_server(outbound: Outbound, api_server: str) -> Outbound:
    """Have the kubeconfig's own server leave from this machine, so that kubectl works inside."""
    if outbound.default == "machine":
        return outbound
    parts = urlsplit(api_server)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    is_name = any(letter.isalpha() for letter in host) and ":" not in host
    rule = Destination(host=host, port=port) if is_name else Destination(network=host, port=port)
    return replace(outbound, machine=(*outbound.machine, rule))


async def _machine_socket(family: socket.AddressFamily) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    return sock
