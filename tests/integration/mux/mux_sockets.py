"""A mux on a real TCP connection, on both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import uvloop

from tpconfig.mux.aio import Mux, MuxStream, Role

Accept = Callable[[MuxStream], asyncio.BaseProtocol]

on_both_loops = pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


def run(
    loop_factory: Callable[[], asyncio.AbstractEventLoop], test: Coroutine[Any, Any, None]
) -> None:
    """Run ``test`` on a loop of that kind, within a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(bounded())


class TcpPipe(asyncio.Protocol):
    """Feeds a mux from a TCP transport."""

    mux: Mux
    transport: asyncio.Transport

    def __init__(self, role: Role, accept: Accept) -> None:
        self.role, self.accept = role, accept
        self.lost: list[str] = []
        self.connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's
        self.transport = cast(asyncio.Transport, transport)
        self.mux = Mux(self.role, self.transport, accept=self.accept, lost=self.lost.append)
        self.connected.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.mux.data_received(data)

    def pause_writing(self) -> None:
        self.paused = True
        self.mux.pause_writing()

    def resume_writing(self) -> None:
        self.paused = False
        self.mux.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.mux.pipe_lost(str(exc or "the connection ended"))


def refuse(stream: MuxStream) -> asyncio.BaseProtocol:
    """An accept that takes nothing."""
    stream.abort()
    return asyncio.Protocol()


@asynccontextmanager
async def open_pair(accept: Accept) -> AsyncIterator[tuple[TcpPipe, TcpPipe]]:
    """A client's and a server's end; the server accepts."""
    loop = asyncio.get_running_loop()
    server_end = TcpPipe(Role.SERVER, accept)
    listener = await loop.create_server(lambda: server_end, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    _, client_end = await loop.create_connection(
        lambda: TcpPipe(Role.CLIENT, refuse), "127.0.0.1", port
    )
    await server_end.connected
    try:
        yield client_end, server_end
    finally:
        client_end.mux.close()
        server_end.mux.close()
        listener.close()
        await listener.wait_closed()


def open_streams(
    mux: Mux, *, opening: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream as asyncio's reader and writer."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport = mux.open(protocol, opening=opening)
    return reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
