"""Our mux and hashicorp/yamux, each as client and as server of the other."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mux_sockets import TcpPipe, open_streams

from tests import rig
from tpconfig.mux.aio import Mux, MuxStream, Role
from tpconfig.mux.window import YAMUX_STREAMS, YAMUX_WINDOW

BODY = bytes(range(256)) * (16 * 1024)


class PlainPipe(TcpPipe):
    """A TCP connection whose mux speaks plain yamux."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.mux = Mux(
            self.role,
            self.transport,
            accept=self.accept,
            lost=self.lost.append,
            first_window=YAMUX_WINDOW,
            max_streams=YAMUX_STREAMS,
        )


@pytest.fixture(scope="module")
def program() -> str:
    """The program in Go, built once."""
    return str(rig.yamux())


@asynccontextmanager
async def running(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program; it is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def nothing(stream: MuxStream) -> asyncio.BaseProtocol:
    """Accept a stream that nobody opens."""
    raise AssertionError(stream)


@asynccontextmanager
async def served_by_go(program: str) -> AsyncIterator[PlainPipe]:
    """Be the client of a session that Go serves."""
    async with running(program, "serve") as process:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        loop = asyncio.get_running_loop()
        _, pipe = await loop.create_connection(
            lambda: PlainPipe(Role.CLIENT, nothing), "127.0.0.1", port
        )
        yield pipe
        pipe.mux.close()


async def converse(mux: Mux, kind: bytes, body: bytes) -> bytes:
    """Say something on a stream and return what comes back, once both ends have finished."""
    reader, writer = open_streams(mux, opening=kind + b"\n")

    async def send() -> None:
        for at in range(0, len(body), 100_000):
            writer.write(body[at : at + 100_000])
            await writer.drain()
        writer.write_eof()

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        back = await reader.read()
    writer.close()
    await writer.wait_closed()
    return back


async def test_go_answers_our_streams(program: str) -> None:
    """Much more than a window comes back whole, half-close and pings work, on several at once."""
    async with served_by_go(program) as pipe:
        async with asyncio.TaskGroup() as group:
            echoes = [group.create_task(converse(pipe.mux, b"echo", BODY)) for _ in range(4)]
            count = group.create_task(converse(pipe.mux, b"count", BODY))
            late = group.create_task(converse(pipe.mux, b"late", b""))
        assert await pipe.mux.ping() > 0
        wanted = hashlib.sha256(BODY).digest()
        assert {hashlib.sha256(echo.result()).digest() for echo in echoes} == {wanted}
        assert (count.result(), late.result()) == (b"%d" % len(BODY), b"late")
        assert (pipe.mux.stream_count, pipe.mux.granted, pipe.lost) == (0, 0, [])


async def test_a_reset_of_go_resets_our_stream(program: str) -> None:
    """What Go breaks off is a reset here, and the session goes on."""
    async with served_by_go(program) as pipe:
        reader, writer = open_streams(pipe.mux, opening=b"reset\n")
        assert await reader.read() == b""
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()
        assert await converse(pipe.mux, b"late", b"") == b"late"


async def test_a_reset_of_ours_resets_the_stream_of_go(program: str) -> None:
    """After our reset Go's session goes on."""
    async with served_by_go(program) as pipe:
        reader, writer = open_streams(pipe.mux, opening=b"echo\n")
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        writer.transport.abort()
        assert await converse(pipe.mux, b"late", b"") == b"late"


async def test_go_away_of_go_stops_our_new_streams(program: str) -> None:
    """What is open goes on, and opening another fails."""
    async with served_by_go(program) as pipe:
        reader, writer = open_streams(pipe.mux, opening=b"echo\n")
        assert await converse(pipe.mux, b"go-away", b"") == b"said"
        with pytest.raises(ConnectionResetError, match="takes no new streams"):
            pipe.mux.open(asyncio.Protocol())
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        writer.transport.abort()


async def answer(pipe: PlainPipe, reader: asyncio.StreamReader, writer: Any) -> None:
    """Do what the first line of Go's stream says."""
    match await reader.readline():
        case b"echo\n":
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        case b"count\n":
            writer.write(b"%d" % len(await reader.read()))
        case b"late\n":
            await reader.read()
            writer.write(b"late")
        case b"reset\n":
            writer.transport.abort()
        case b"go-away\n":
            pipe.mux._session.go_away()
            writer.write(b"said")
    writer.close()


async def test_we_answer_the_streams_of_go(program: str) -> None:
    """The same the other way round: Go opens, pings, and hears of our reset and our GO_AWAY."""
    loop = asyncio.get_running_loop()

    def accept(stream: MuxStream) -> asyncio.BaseProtocol:
        return asyncio.StreamReaderProtocol(
            asyncio.StreamReader(), lambda reader, writer: answer(pipe, reader, writer)
        )

    pipe = PlainPipe(Role.SERVER, accept)
    listener = await loop.create_server(lambda: pipe, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with running(program, "ask", str(port)) as process:
        said, _ = await process.communicate()
    listener.close()
    assert dict(json.loads(line) for line in said.splitlines()) == {
        "ping": True,
        "echo": True,
        "count": str(1 << 22),
        "late": "late",
        "reset": "connection reset",
        "go-away": "said",
        "refused": "remote end is not accepting connections",
    }
