"""The mux over real sockets, on asyncio's own loop and on uvloop."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from typing import cast

import pytest
from mux_sockets import on_both_loops, open_pair, open_streams, run

from tpconfig.mux.aio import Mux, MuxStream, Role
from tpconfig.mux.hello import ClientHello, ServerHello

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class Echo(asyncio.Protocol):
    """Sends back what it gets, at the pace that the sender can take."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, MuxStream)
        self.stream = transport

    def data_received(self, data: bytes) -> None:
        self.stream.write(data)

    def pause_writing(self) -> None:
        self.stream.pause_reading()

    def resume_writing(self) -> None:
        self.stream.resume_reading()

    def eof_received(self) -> bool:
        self.stream.write_eof()
        return True


class First(asyncio.Protocol):
    """Hands its first bytes over."""

    def __init__(self, got: asyncio.Future[bytes]) -> None:
        self.data_received = got.set_result  # type: ignore[method-assign,assignment]


async def echoed(mux: Mux, body: bytes) -> bytes:
    """Send ``body`` and return what comes back."""
    reader, writer = open_streams(mux, opening=body[:10])

    async def send() -> None:
        for at in range(10, len(body), 30_000):
            writer.write(body[at : at + 30_000])
            await writer.drain()
        writer.write_eof()

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        back = await reader.read()
    writer.close()
    await writer.wait_closed()
    return back


@on_both_loops
def test_many_streams_at_once_keep_their_bytes(loop_factory: LoopFactory) -> None:
    """A hundred streams of all sizes at once: each gets its own bytes back, none is left."""

    async def test() -> None:
        noise = random.Random(7)
        bodies = [noise.randbytes(int(10 ** noise.uniform(0, 6))) for _ in range(100)]
        async with open_pair(lambda stream: Echo()) as (client, server):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(echoed(client.mux, body)) for body in bodies]
            for task, body in zip(tasks, bodies, strict=True):
                assert hashlib.sha256(task.result()).digest() == hashlib.sha256(body).digest()
            assert await client.mux.ping() > 0
            assert (client.mux.stream_count, server.mux.stream_count) == (0, 0)

    run(loop_factory, test())


@on_both_loops
def test_a_broken_connection_resets_every_stream(loop_factory: LoopFactory) -> None:
    """When the TCP connection breaks in the middle, both ends' streams are reset and told once."""

    async def test() -> None:
        async with open_pair(lambda stream: Echo()) as (client, server):
            streams = [open_streams(client.mux) for _ in range(10)]
            for _, writer in streams:
                writer.write(bytes(500_000))
            await streams[0][0].readexactly(100_000)
            client.transport.abort()
            for reader, _ in streams:
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            while not server.lost:
                await asyncio.sleep(0.01)
            assert (len(client.lost), len(server.lost)) == (1, 1)
            assert (client.mux.stream_count, server.mux.stream_count) == (0, 0)

    run(loop_factory, test())


@on_both_loops
def test_a_peer_that_stops_reading_bounds_what_is_buffered(loop_factory: LoopFactory) -> None:
    """While the peer does not read its socket, writers are paused and nothing piles up."""

    async def test() -> None:
        async with open_pair(lambda stream: Echo()) as (client, server):
            ends = [open_streams(client.mux, opening=b"x") for _ in range(40)]
            for reader, _ in ends:
                await reader.readexactly(1)  # answered, so the whole window is open
            server.transport.pause_reading()
            writers = [writer for _, writer in ends]

            async def send(writer: asyncio.StreamWriter) -> None:
                for _ in range(100):
                    writer.write(bytes(20_000))
                    await writer.drain()

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(send(writer)) for writer in writers]
                while not client.paused:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.1)
                assert client.transport.get_write_buffer_size() < 1024 * 1024
                for writer in writers:
                    assert writer.transport.get_write_buffer_size() < 100_000
                assert not any(task.done() for task in tasks)
                for task in tasks:
                    task.cancel()

    run(loop_factory, test())


SECRET = bytes(range(32))


class Client(asyncio.Protocol):
    """Shakes hands, then gives every byte to a mux; ``got`` is its first stream's bytes."""

    def __init__(self) -> None:
        self.got: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.hello = ClientHello(SECRET, "7f3a", "0.1.0")
        self.mux: Mux | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.mux is not None:
            self.mux.data_received(data)
            return
        self.hello.receive_data(data)
        self.transport.write(self.hello.data_to_send())
        if self.hello.done:
            self.mux = Mux(
                Role.CLIENT,
                self.transport,
                accept=lambda stream: First(self.got),
                lost=lambda reason: None,
            )
            self.mux.data_received(self.hello.leftover)


@on_both_loops
def test_the_handshake_hands_over_to_the_mux(loop_factory: LoopFactory) -> None:
    """Hello and mux share a connection; the first frames right behind the welcome are not lost."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = ServerHello(SECRET, "7f3a", "0.1.0", ("uvloop",))
        writer.write(hello.data_to_send())
        while not hello.asked:
            hello.receive_data(await reader.read(1000))
        hello.welcome("0" * 32, 0)
        writer.write(hello.data_to_send())
        pipe = cast(asyncio.Transport, writer.transport)
        mux = Mux(Role.SERVER, pipe, accept=lambda stream: Echo(), lost=lambda reason: None)
        mux.open(asyncio.Protocol(), opening=b"tcp-in 80 10.0.0.1 1\n")
        await reader.read()
        mux.close()

    async def test() -> None:
        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_connection(Client, "127.0.0.1", port)
        assert await client.got == b"tcp-in 80 10.0.0.1 1\n"
        transport.close()
        listener.close()

    run(loop_factory, test())
