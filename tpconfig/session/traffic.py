"""Joins the tunnel to this machine: what processes send goes out, what callers send comes in."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from tpconfig import names
from tpconfig.clock import SystemClock
from tpconfig.local.keeper import Keeper, open_keeper
from tpconfig.local.loopback import connect_loopback
from tpconfig.local.redirect import open_redirect
from tpconfig.local.shown import show_ports
from tpconfig.local.world import World
from tpconfig.model.desired import Destination, Outbound
from tpconfig.model.target import PodPort, PortPair
from tpconfig.mux.opening import TcpFrom
from tpconfig.tunnel import proxyprotocol
from tpconfig.tunnel.dns import PodResolver, Remembered, Resolver
from tpconfig.tunnel.dnscache import DnsCache
from tpconfig.tunnel.link import Link
from tpconfig.tunnel.machinedns import MachineResolver
from tpconfig.tunnel.outbound import Near, open_outbound
from tpconfig.tunnel.outbound import Outbound as Carried
from tpconfig.tunnel.policy import Policy

NO_DESCRIPTORS_PAUSE_S = 0.1
LISTENER_POLL_S = 0.03


@dataclass(slots=True)
class Dialer:
    """Finds who serves a port of the Pod here: in the workload's own network, else the machine's.

    A process that an IDE has started listens on the machine's localhost.
    """

    keeper: Callable[[], Keeper | None]
    pairs: dict[PodPort, PortPair] = field(default_factory=dict)

    async def await_listener(self, port: PodPort) -> socket.socket | None:
        """Return a socket as ``dial`` does, but give who serves the port its time to listen."""
        loop = asyncio.get_running_loop()
        pair = self.pairs.get(port)
        ends_s = loop.time() + (pair.wait_s if pair is not None else 0.0)
        while (found := await self.dial(port)) is None and loop.time() < ends_s:
            await asyncio.sleep(LISTENER_POLL_S)
        return found

    def preface(self, call: TcpFrom) -> bytes:
        """Return what who serves a call is told about it, before the caller's own bytes."""
        pair = self.pairs.get(PodPort(call.port))
        if pair is None or pair.proxy_protocol is None:
            return b""
        return proxyprotocol.header(pair.proxy_protocol, call)

    async def dial(self, port: PodPort) -> socket.socket | None:
        """Return a socket connected to whoever serves the port; ``None`` where nobody does."""
        pair = self.pairs.get(port)
        if pair is None:
            return None
        number = pair.local
        keeper = self.keeper()
        if port.protocol == "udp":
            return await keeper.connect_udp(number) if keeper is not None else None
        if keeper is not None and (found := await keeper.connect(number)) is not None:
            return found
        return await connect_loopback(number, _machine_socket)


@asynccontextmanager
async def open_inside(
    world: World | None,
    state_dir: Path,
    pod_ports: Callable[[], Sequence[int]],
    remark: Callable[[str], None],
) -> AsyncIterator[Keeper]:
    """Open a keeper whose processes are reached on this machine's localhost as well.

    Not on ``pod_ports``: there the Pod's sidecars are.

    Raises:
        MethodError: this machine does not allow the namespaces.
    """

    def say(port: int, holder: str) -> None:
        remark(f"port {port} is not shown on this machine's localhost: it belongs to {holder}")

    async with (
        open_keeper(world, state_dir=state_dir) as keeper,
        show_ports(keeper, without=pod_ports, say=say),
    ):
        yield keeper


@asynccontextmanager
async def open_redirection(
    keeper: Keeper,
    link: Link,
    outbound: Outbound,
    *,
    api_server: str,
    near: Near,
    pod_ports: Sequence[int] = (),
) -> AsyncIterator[None]:
    """Give what a keeper's processes send to the tunnel while the block runs.

    ``near``: which addresses are answered on this machine. ``pod_ports`` of the Pod's localhost are
    on theirs. Processes without a network of their own have only that.
    """
    if not keeper.isolated:
        async with open_pod_ports(keeper, link, pod_ports):
            yield
        return
    clock = SystemClock()
    remembered = Remembered(clock)
    policy = Policy(with_api_server(outbound, api_server), remembered)
    resolver = Resolver(
        pod=PodResolver(link).ask,
        machine=MachineResolver().ask,
        route=policy.of_name,
        remembered=remembered,
        default=policy.default,
        machine_address=names.HOST_ADDRESS,
        cache=DnsCache(clock),
    )
    async with (
        open_pod_ports(keeper, link, pod_ports),
        open_outbound(link, route=policy.of_address, near=near) as carried,
        open_redirect(keeper, tcp=carried.tcp, udp=carried.udp, dns=resolver.answer),
    ):
        yield


@asynccontextmanager
async def open_pod_ports(keeper: Keeper, link: Link, ports: Sequence[int]) -> AsyncIterator[None]:
    """Show ports of the Pod's own localhost, its sidecars', on the processes' localhost.

    Raises:
        TpError: somebody listens there already.
    """
    async with AsyncExitStack() as opened:
        carried = await opened.enter_async_context(open_outbound(link))
        tasks = await opened.enter_async_context(asyncio.TaskGroup())
        listeners = []
        for port in ports:
            for listener in await keeper.listen(port):
                opened.callback(listener.close)
                listeners.append((listener, port))
        accepting = [tasks.create_task(_accept(one, port, carried)) for one, port in listeners]
        try:
            yield
        finally:
            for task in accepting:
                task.cancel()


async def _accept(listener: socket.socket, port: int, carried: Carried) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            sock, _ = await loop.sock_accept(listener)
        except OSError:
            await asyncio.sleep(NO_DESCRIPTORS_PAUSE_S)
            continue
        sock.setblocking(False)
        carried.tcp(sock, ("127.0.0.1", port))


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
