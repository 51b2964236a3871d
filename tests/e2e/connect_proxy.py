"""An HTTP proxy that knows CONNECT and nothing else, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ConnectProxy:
    """Where it listens, which names it knows, and which authorities it was asked for."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    resolves: dict[str, str] = field(default_factory=dict)

    async def serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await near.readuntil(b"\r\n\r\n")).decode()
            method, authority, _ = head.split(" ", 2)
            assert method == "CONNECT"
            self.asked.append(authority)
            host, _, port = authority.rpartition(":")
            far, there = await asyncio.open_connection(self.resolves.get(host, host), int(port))
            back.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(near, there))
                group.create_task(_pump(far, back))
        back.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@contextmanager
def open_connect_proxy() -> Iterator[ConnectProxy]:
    """Run one until the block ends."""
    proxy, ready, stop = ConnectProxy(), threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def life() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
        proxy.port = server.sockets[0].getsockname()[1]
        loops.append(asyncio.get_running_loop())
        ready.set()
        await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(life()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield proxy
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(10)
