"""The first line of a stream, asked and answered, over two real muxes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

import pytest

from tpconfig.mux import serving
from tpconfig.mux.aio import Mux, MuxStream, Role
from tpconfig.mux.opening import Dns, Opening, Refusal, TcpTo, encode

Serve = Callable[[Opening, MuxStream], asyncio.Protocol]


class Wire:
    """A pipe whose other end is a mux of this process."""

    def __init__(self) -> None:
        self.peer: Mux | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand over in the next tick."""
        assert self.peer is not None
        asyncio.get_running_loop().call_soon(self.peer.data_received, bytes(data))

    def close(self) -> None:
        """Nothing is open."""


class Recorder(asyncio.Protocol):
    """Notes what a protocol is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.lost = asyncio.Event()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        self.transport = cast(asyncio.Transport, transport)
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        """Note it."""
        self.told.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note it."""
        self.told.append(type(exc))
        self.lost.set()


def joined(serve: Serve) -> Mux:
    """Return the client's mux; the server's gives its streams to ``serve``."""
    there, back = Wire(), Wire()
    client = Mux(Role.CLIENT, there, accept=lambda stream: Recorder(), lost=lambda why: None)
    server = Mux(
        Role.SERVER, back, accept=lambda stream: serving.OpeningReader(serve), lost=lambda why: None
    )
    there.peer, back.peer = server, client
    return client


async def settled(condition: Callable[[], bool]) -> None:
    """Let the loop run until ``condition`` holds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


@pytest.mark.parametrize("pieces", [1, 3, 100])
async def test_what_is_behind_the_opening_goes_to_the_protocol(pieces: int) -> None:
    """The opening is read, whatever its pieces; the rest is the protocol's."""
    served, openings = Recorder(), []

    def serve(opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        openings.append(opening)
        return served

    stream = joined(serve).open(Recorder())
    data = encode(TcpTo("orders", 5432)) + b"first bytes"
    size = -(-len(data) // pieces)
    for start in range(0, len(data), size):
        stream.write(data[start : start + size])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await settled(
        lambda: b"".join(x for x in served.told if isinstance(x, bytes)) == b"first bytes"
    )
    assert openings == [TcpTo("orders", 5432)]
    assert served.told[0] == "made"


async def test_a_refusal_is_a_lost_connection() -> None:
    """The opener's protocol never sees the answer, only that it was refused."""

    def serve(opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        raise serving.StreamRefusedError(Refusal("denied", "not today"))

    refusals: list[Refusal] = []
    opener = Recorder()
    reader = serving.AnswerReader(opener, refusals.append)
    joined(serve).open(reader, opening=encode(Dns()))
    await opener.lost.wait()
    assert refusals == [Refusal("denied", "not today")]
    assert opener.told == ["made", ConnectionRefusedError]


async def test_an_accepted_stream_is_handed_over() -> None:
    """What is behind the ``ok`` is the protocol's, and later bytes too."""
    served = Recorder()

    def serve(opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        stream.write(serving.OK + b"hel")
        return served

    opener = Recorder()
    joined(serve).open(serving.AnswerReader(opener, lambda refusal: None), opening=encode(Dns()))
    await settled(lambda: opener.told == ["made", b"hel"])
    assert served.transport is not None
    served.transport.write(b"lo")
    await settled(lambda: opener.told == ["made", b"hel", b"lo"])


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_an_end_in_place_of_an_answer(end: str) -> None:
    """Without an answer, the stream's end is the connection's loss, told once."""

    def serve(opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        getattr(stream, end)()
        return Recorder()

    opener = Recorder()
    joined(serve).open(serving.AnswerReader(opener, lambda refusal: None), opening=encode(Dns()))
    await opener.lost.wait()
    await asyncio.sleep(0.01)
    assert opener.told[0] == "made"
    assert len(opener.told) == 2
    lost = opener.told[1]
    assert isinstance(lost, type)
    assert issubclass(lost, ConnectionError)


@pytest.mark.parametrize("line", [b"nonsense\n", b"\xff\n", b"x" * 2000])
async def test_a_line_that_is_no_opening_is_refused(line: bytes) -> None:
    """The opener is told, and nothing is served."""

    def serve(opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        raise AssertionError(opening)

    refusals: list[Refusal] = []
    opener = Recorder()
    joined(serve).open(serving.AnswerReader(opener, refusals.append), opening=line)
    await opener.lost.wait()
    assert [refusal.code for refusal in refusals] == ["unknown"]


async def test_a_line_that_is_no_answer_is_a_refusal() -> None:
    """What answers nonsense is not trusted with more."""

    def serve(opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        stream.write(b"HTTP/1.1 200 OK\n")
        return Recorder()

    refusals: list[Refusal] = []
    opener = Recorder()
    reader = serving.AnswerReader(opener, refusals.append)
    joined(serve).open(reader, opening=encode(Dns()))
    await opener.lost.wait()
    assert [refusal.code for refusal in refusals] == ["unknown"]


async def test_small_writes_do_not_wait() -> None:
    """Nagle's algorithm is off on every connection that gets a transport."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        there = socket.create_connection(listener.getsockname())
        here, _ = listener.accept()
        here.setblocking(False)
        joining = Recorder()
        assert await serving.join(here, joining)
        assert here.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        there.close()
        await joining.lost.wait()


async def test_a_bug_in_one_stream_is_reported_and_contained() -> None:
    """The loop's exception hook hears of it; nobody else does."""
    heard: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context["exception"]))

    async def broken() -> None:
        raise KeyError("a bug")

    await serving.contained(broken())
    assert [type(error) for error in heard] == [KeyError]
