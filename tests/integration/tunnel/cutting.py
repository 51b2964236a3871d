"""A TCP relay that breaks connections in every way that a network, a proxy or an API server can."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

Cut = Literal["closed", "reset", "black hole", "half a frame"]
CUTS: Final[tuple[Cut, ...]] = ("closed", "reset", "half a frame")


class Side(asyncio.Protocol):
    """One of a connection's two sockets."""

    other: Side

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []
        self.prefix: int | None = None  # bytes that may still pass before the reset
        self.deaf = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        for data in self.other.early:
            transport.write(data)
        self.other.early.clear()

    def data_received(self, data: bytes) -> None:
        target = self.other.transport
        if self.deaf:
            return
        self.relay.carried += len(data)
        if self.prefix is not None:
            data, rest = data[: self.prefix], data[self.prefix :]
            self.prefix -= len(data)
            if target is not None and data:
                target.write(data)
            if rest:
                self.relay.loop.call_soon(self.relay.break_off, self, "reset late")
                self.deaf = True
        elif target is None:
            self.early.append(data)
        else:
            target.write(data)

    def pause_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.relay.sides.discard(self)
        if self.other.transport is not None:
            self.other.transport.close()


@dataclass
class Relay:
    """The controls; ``carried`` counts bytes, ``opened`` connections."""

    target: int
    seed: int = 0
    port: int = 0
    carried: int = 0
    opened: int = 0
    sides: set[Side] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.random = random.Random(self.seed)
        self.connecting: set[asyncio.Task[None]] = set()

    def accept(self) -> Side:
        """Return the protocol of a new connection, whose other side is being connected."""
        near, far = Side(self), Side(self)
        near.other, far.other = far, near
        self.sides |= {near, far}
        self.opened += 1
        task = self.loop.create_task(
            self.loop.create_connection(lambda: far, "127.0.0.1", self.target)
        )
        self.connecting.add(task)  # type: ignore[arg-type]
        task.add_done_callback(self.connecting.discard)  # type: ignore[arg-type]
        return near

    def cut(self, how: Cut) -> None:
        """Break every connection there is."""
        for side in list(self.sides):
            if how == "half a frame":
                side.prefix = self.random.randrange(40)
            elif how == "black hole":
                side.deaf = True
            else:
                self.break_off(side, how)

    def break_off(self, side: Side, how: str) -> None:
        """End one side, by FIN or by RST."""
        if side.transport is None:
            return
        if how == "closed":
            side.transport.close()
            return
        for one in (side, side.other):
            if one.transport is not None:
                sock = one.transport.get_extra_info("socket")
                if how == "reset" and sock.fileno() >= 0:
                    linger = struct.pack("ii", 1, 0)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    one.transport.abort()
                else:
                    one.transport.close()


@asynccontextmanager
async def open_relay(target: int, *, seed: int = 0) -> AsyncIterator[Relay]:
    """Relay a free port to ``target`` while the block runs."""
    relay = Relay(target, seed)
    server = await relay.loop.create_server(relay.accept, "127.0.0.1", 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
        for side in list(relay.sides):
            relay.break_off(side, "reset")
