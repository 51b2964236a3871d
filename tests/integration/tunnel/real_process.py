"""What a process behind the redirection looks like to the tunnel: real sockets, both ends ours."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tpconfig.model.target import PodPort
from tpconfig.mux.opening import Refusal
from tpconfig.tunnel.conversations import Address
from tpconfig.tunnel.inbound import open_inbound
from tpconfig.tunnel.link import Link
from tpconfig.tunnel.outbound import Near, Outbound, Way, open_outbound


@dataclass
class Processes:
    """Makes connections as a process behind the redirection would."""

    outbound: Outbound
    refused: list[tuple[Address, Refusal]] = field(default_factory=list)

    async def connect(self, destination: Address) -> socket.socket:
        """Return the process's end of a connection that it wanted to ``destination``."""
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            sock = socket.socket()
            sock.setblocking(False)
            await loop.sock_connect(sock, listener.getsockname())
            accepted, _ = await loop.sock_accept(listener)
        self.outbound.tcp(accepted, destination)
        return sock

    async def open(self, destination: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to ``destination`` as streams."""
        return await asyncio.open_connection(sock=await self.connect(destination))


@asynccontextmanager
async def processes(
    link: Link,
    *,
    route: Callable[[str, int], Way] = lambda address, port: "pod",
    near: Near = lambda address: None,
) -> AsyncIterator[Processes]:
    """Redirect what processes connect to into ``link``."""
    refused: list[tuple[Address, Refusal]] = []
    async with open_outbound(
        link,
        route=route,
        near=near,
        on_refused=lambda destination, refusal: refused.append((destination, refusal)),
    ) as outbound:
        yield Processes(outbound, refused)


@dataclass
class Served:
    """What serves the Pod's ports here."""

    ports: dict[PodPort, int] = field(default_factory=dict)
    asked: list[PodPort] = field(default_factory=list)

    async def dial(self, port: PodPort) -> socket.socket | None:
        """Connect to whoever serves ``port``."""
        self.asked.append(port)
        if port not in self.ports:
            return None
        kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
        sock = socket.socket(socket.AF_INET, kind)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, ("127.0.0.1", self.ports[port]))
        except ConnectionRefusedError:
            sock.close()
            return None
        return sock


def reset_on_close(sock: socket.socket) -> None:
    """Have ``close()`` send RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def outcome(sock: socket.socket) -> str:
    """Return how a connection ends: ``reset`` or ``closed``, after whatever data."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(10):
            while await loop.sock_recv(sock, 65536):
                pass
    except ConnectionResetError:
        return "reset"
    finally:
        sock.close()
    return "closed"


__all__ = ["Processes", "Served", "open_inbound", "outcome", "processes", "reset_on_close"]
