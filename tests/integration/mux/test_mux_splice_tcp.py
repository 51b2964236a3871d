"""process -TCP- splice -mux over TCP- splice -TCP- server: what the process sees."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from mux_sockets import TcpPipe, on_both_loops, open_pair, run

from tpconfig.mux.aio import MuxStream
from tpconfig.mux.splice import Splice, reset

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Tunnel:
    """A tunnel to one server; ``splices`` are the client's end's."""

    port: int
    client: TcpPipe
    splices: list[Splice]
    served: asyncio.Queue[Streams]

    async def connect(self) -> Streams:
        """Connect a process through the tunnel."""
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def both(self) -> tuple[Streams, Streams]:
        """Connect, and return the process's and the server's ends."""
        process = await self.connect()
        return process, await self.served.get()


@asynccontextmanager
async def open_tunnel(*, refused: bool = False) -> AsyncIterator[Tunnel]:
    """The whole chain; with ``refused`` nobody listens at its end."""
    loop = asyncio.get_running_loop()
    served: asyncio.Queue[Streams] = asyncio.Queue()
    splices: list[Splice] = []
    target = await asyncio.start_server(lambda r, w: served.put_nowait((r, w)), "127.0.0.1", 0)
    target_port = target.sockets[0].getsockname()[1]
    if refused:
        target.close()
        await target.wait_closed()

    async with asyncio.TaskGroup() as dialling:

        async def dial(splice: Splice, stream: MuxStream) -> None:
            try:
                await loop.create_connection(lambda: splice.b, "127.0.0.1", target_port)
            except OSError:
                stream.abort()

        def accept(stream: MuxStream) -> asyncio.BaseProtocol:
            splice = Splice()
            dialling.create_task(dial(splice, stream))
            return splice.a

        async with open_pair(accept) as (client, _):

            def serve() -> asyncio.Protocol:
                splice = Splice()
                splices.append(splice)
                client.mux.open(splice.b)
                return splice.a

            listener = await loop.create_server(serve, "127.0.0.1", 0)
            yield Tunnel(listener.sockets[0].getsockname()[1], client, splices, served)
            listener.close()
            target.close()


@on_both_loops
@pytest.mark.parametrize("first", ["process", "server"])
def test_half_close_passes(loop_factory: LoopFactory, first: str) -> None:
    """Either side may finish first and still gets the other's answer, and its end."""

    async def test() -> None:
        async with open_tunnel() as tunnel:
            process, server = await tunnel.both()
            one, other = (process, server) if first == "process" else (server, process)
            one[1].write(b"question")
            one[1].write_eof()
            assert await other[0].read() == b"question"
            other[1].write(b"answer")
            other[1].close()
            assert await one[0].read() == b"answer"
            one[1].close()
            while not tunnel.splices[0].done:
                await asyncio.sleep(0.01)
            assert tunnel.client.mux.stream_count == 0

    run(loop_factory, test())


@on_both_loops
@pytest.mark.parametrize("who", ["process", "server"])
def test_a_reset_passes(loop_factory: LoopFactory, who: str) -> None:
    """A TCP reset on one side is a TCP reset on the other."""

    async def test() -> None:
        async with open_tunnel() as tunnel:
            process, server = await tunnel.both()
            one, other = (process, server) if who == "process" else (server, process)
            other[1].write(b"x")
            assert await one[0].read(1) == b"x"
            reset(one[1].transport)
            with pytest.raises(ConnectionResetError):
                await other[0].read()

    run(loop_factory, test())


@on_both_loops
def test_nobody_there_is_a_reset(loop_factory: LoopFactory) -> None:
    """When the far end cannot connect, the process sees a reset."""

    async def test() -> None:
        async with open_tunnel(refused=True) as tunnel:
            reader, writer = await tunnel.connect()
            writer.write(b"hello?")
            with pytest.raises(ConnectionResetError):
                await reader.read()

    run(loop_factory, test())


@on_both_loops
def test_a_lost_link_is_a_reset(loop_factory: LoopFactory) -> None:
    """When the link breaks both TCP sides are reset; a cut answer never looks whole."""

    async def test() -> None:
        async with open_tunnel() as tunnel:
            process, server = await tunnel.both()
            server[1].write(b"half an ans")
            assert await process[0].readexactly(11) == b"half an ans"
            tunnel.client.transport.abort()
            for reader, _ in (process, server):
                with pytest.raises(ConnectionResetError):
                    await reader.read()

    run(loop_factory, test())


@on_both_loops
def test_bulk_both_ways_with_a_slow_reader(loop_factory: LoopFactory) -> None:
    """Megabytes in both directions at once arrive whole although one reader dawdles."""

    async def test() -> None:
        body = random.Random(3).randbytes(8_000_000)
        wanted = hashlib.sha256(body).hexdigest()

        async def send(writer: asyncio.StreamWriter) -> None:
            for at in range(0, len(body), 100_000):
                writer.write(body[at : at + 100_000])
                await writer.drain()
            writer.write_eof()

        async def receive(reader: asyncio.StreamReader, *, pause_s: float) -> str:
            digest = hashlib.sha256()
            while data := await reader.read(200_000):
                digest.update(data)
                await asyncio.sleep(pause_s)
            return digest.hexdigest()

        async with open_tunnel() as tunnel:
            process, server = await tunnel.both()
            async with asyncio.TaskGroup() as group:
                group.create_task(send(process[1]))
                group.create_task(send(server[1]))
                slow = group.create_task(receive(process[0], pause_s=0.002))
                fast = group.create_task(receive(server[0], pause_s=0))
            assert (slow.result(), fast.result()) == (wanted, wanted)
            splice = tunnel.splices[0]
            assert (splice.a.received, splice.b.received) == (len(body), len(body))

    run(loop_factory, test())


@on_both_loops
def test_a_process_that_closes_early_ends_the_server(loop_factory: LoopFactory) -> None:
    """A server that goes on writing to a process that has closed is reset, not left hanging."""

    async def test() -> None:
        async with open_tunnel() as tunnel:
            process, server = await tunnel.both()
            process[1].close()

            async def write_on() -> None:
                while True:
                    server[1].write(bytes(50_000))
                    await server[1].drain()
                    await asyncio.sleep(0)

            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                await write_on()

    run(loop_factory, test())
