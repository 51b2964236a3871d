"""How a mux and its streams end: lost pipes, violations, and protocols that strike back."""

from __future__ import annotations

import asyncio
import logging

import pytest
from mux_fakes import Ends, Recorder, settle

from tpconfig.mux import frames
from tpconfig.mux.aio import Mux, MuxStream
from tpconfig.mux.frames import DATA, GO_AWAY, PING, SYN, WINDOW_UPDATE
from tpconfig.mux.transport import HIGH_WATER


def kinds(wire: bytes) -> list[tuple[int, int, int]]:
    """Type, flags and stream of every frame in ``wire``."""
    return [piece[:3] for piece in frames.FrameReader().feed(wire)]


async def test_a_peer_that_asks_and_never_reads_is_given_up() -> None:
    """Answers behind a full pipe are bounded: a flood of pings ends the mux."""
    ends = Ends()
    ends.server.pause_writing()
    flood = frames.encode(PING, SYN, 0, 1) * 1000
    for _ in range(200):
        ends.server.data_received(flood)
        await asyncio.sleep(0)
    await settle()
    assert ends.lost == ["server: the peer asks and does not read"]
    assert ends.server_pipe.closed


async def test_pipe_lost_resets_every_stream_once() -> None:
    """Every stream gets ConnectionResetError with the reason, then ``lost`` is called, once."""
    ends = Ends()
    opener, _ = await ends.open()
    order: list[str] = []
    ends.lost = order
    opener.connection_lost = lambda exc: order.append(repr(exc))  # type: ignore[method-assign]
    ends.client.pipe_lost("the WebSocket closed")
    ends.client.pipe_lost("again")
    assert order == []
    await settle()
    assert order == [
        "ConnectionResetError('the WebSocket closed')",
        "client: the WebSocket closed",
    ]
    assert ends.client.stream_count == 0


async def test_open_after_the_pipe_is_lost_says_why() -> None:
    """open() and ping() raise ConnectionResetError with the reason."""
    ends = Ends()
    ends.client.pipe_lost("no more")
    with pytest.raises(ConnectionResetError, match="no more"):
        ends.client.open(Recorder())
    with pytest.raises(ConnectionResetError, match="no more"):
        await ends.client.ping()


async def test_calls_after_the_pipe_is_lost_are_harmless() -> None:
    """A stream whose pipe is gone takes every call and does nothing."""
    ends = Ends()
    opener, _ = await ends.open()
    ends.client.pipe_lost("gone")
    stream = opener.stream
    stream.write(b"x")
    stream.write_eof()
    stream.pause_reading()
    stream.resume_reading()
    stream.close()
    stream.abort()
    ends.client.data_received(b"garbage")
    ends.client.resume_writing()
    ends.client.close()
    await settle()
    assert opener.calls == ["made", "lost"]


class Saboteur(Recorder):
    """Does something to its mux or stream in the middle of a callback."""

    def __init__(self, when: str, what: str, ends: Ends) -> None:
        super().__init__()
        self.when, self.what, self.ends = when, what, ends

    def _strike(self, when: str) -> None:
        if when != self.when:
            return
        if self.what == "pipe_lost":
            self.ends.server.pipe_lost("in the middle")
        elif self.what == "mux_close":
            self.ends.server.close()
        elif self.what == "raise":
            raise LookupError("a bug of the protocol's own")
        else:
            getattr(self.stream, self.what)()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._strike("made")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._strike("data")

    def eof_received(self) -> bool:
        super().eof_received()
        self._strike("eof")
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._strike("pause")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._strike("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._strike("lost")


@pytest.mark.parametrize("what", ["close", "abort", "pipe_lost", "mux_close", "raise"])
@pytest.mark.parametrize("when", ["made", "data", "eof", "pause", "resume", "lost"])
async def test_any_end_in_any_callback(
    when: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a protocol does in whichever callback, it is lost exactly once, and so is its peer.

    Another stream goes on, unless the whole mux was ended.
    """
    caplog.set_level(logging.CRITICAL, "asyncio")
    ends = Ends()
    bystander, _ = await ends.open()
    saboteur = Saboteur(when, what, ends)
    ends.make = lambda stream: saboteur
    opener = Recorder(keep_open=False)
    stream = ends.client.open(opener, opening=b"one")
    await settle()
    saboteur.stream.write(bytes(HIGH_WATER + 1))
    stream.write(b"two")
    await settle()
    stream.write_eof()
    await settle()
    saboteur.stream.close()
    await settle()
    ends.client.pipe_lost("the end of the test") if "mux" in what else None
    await settle()
    assert saboteur.calls.count("lost") == 1
    if what != "pipe_lost":
        assert opener.calls.count("lost") == 1
    if what not in ("pipe_lost", "mux_close"):
        bystander.stream.write(b"still here")
        await settle()
        assert ends.accepted[0].data == b"still here"
        assert ends.server.stream_count == 1


async def test_nothing_is_accepted_after_the_end() -> None:
    """What stands in a chunk behind the bytes that made a protocol end the mux is not accepted."""
    ends = Ends()
    ends.make = lambda stream: Saboteur("data", "pipe_lost", ends)
    ends.server.data_received(
        frames.encode(WINDOW_UPDATE, SYN, 1, 0)
        + frames.encode(DATA, 0, 1, 1)
        + b"x"
        + frames.encode(WINDOW_UPDATE, SYN, 3, 0)
    )
    await settle()
    assert len(ends.accepted) == 1
    assert ends.server.stream_count == 0


async def test_a_protocols_bug_is_reported_and_resets_its_stream_only() -> None:
    """An exception in a callback goes to the loop's exception handler; the peer sees a reset."""
    ends = Ends()
    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: reported.append(context["exception"])
    )
    ends.make = lambda stream: Saboteur("data", "raise", ends)
    opener = Recorder()
    ends.client.open(opener, opening=b"x")
    await settle()
    assert [type(error) for error in reported] == [LookupError]
    assert isinstance(opener.error, ConnectionResetError)


async def test_accept_that_raises_resets_the_stream() -> None:
    """An exception in accept is reported and refuses this stream, no other."""
    ends = Ends()
    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: reported.append(context["exception"])
    )

    def refuse(stream: MuxStream) -> asyncio.BaseProtocol:
        raise LookupError

    ends.make = refuse
    opener = Recorder()
    ends.client.open(opener)
    await settle()
    assert isinstance(opener.error, ConnectionResetError)
    assert len(reported) == 1
    ends.make = lambda stream: Recorder()
    assert (await ends.open(b"x"))[1].data == b"x"


async def test_abort_within_accept_is_a_refusal() -> None:
    """accept may abort the stream it was given."""
    ends = Ends()

    def refuse(stream: MuxStream) -> asyncio.BaseProtocol:
        stream.abort()
        return Recorder()

    ends.make = refuse
    opener, acceptor = await ends.open(b"x")
    assert isinstance(opener.error, ConnectionResetError)
    assert acceptor.calls == ["made", "lost"]


async def test_a_ping_ends_with_the_pipe() -> None:
    """A ping that is under way when the pipe is lost raises."""
    ends = Ends()
    ends.client_pipe.stopped = True
    async with asyncio.TaskGroup() as group:
        pinging = group.create_task(_reset_ping(ends.client))
        await settle()
        ends.client.pipe_lost("gone")
    assert pinging.result() == "gone"


async def _reset_ping(mux: Mux) -> str:
    try:
        await mux.ping()
    except ConnectionResetError as error:
        return str(error)
    return "answered"


async def test_close_says_goodbye() -> None:
    """close() sends what was written, then GO_AWAY, closes and resets; ``lost`` stays silent."""
    ends = Ends()
    opener, acceptor = await ends.open()
    opener.stream.write(b"last")
    ends.client.close("the session ends")
    assert kinds(ends.client_pipe.writes[-1]) == [(GO_AWAY, 0, 0)]
    assert ends.client_pipe.closed
    await settle()
    assert acceptor.data == b"last"
    assert str(opener.error) == "the session ends"
    assert ends.lost == []


async def test_go_away_keeps_streams_and_refuses_new_ones() -> None:
    """After the peer's GO_AWAY what is open goes on and open() raises ConnectionResetError."""
    ends = Ends()
    opener, acceptor = await ends.open()
    ends.client.data_received(frames.encode(GO_AWAY, 0, 0, 0))
    acceptor.stream.write(b"still")
    await settle()
    assert opener.data == b"still"
    with pytest.raises(ConnectionResetError):
        ends.client.open(Recorder())


async def test_go_away_with_an_error_ends_everything() -> None:
    """A peer that gives up loses the mux."""
    ends = Ends()
    opener, _ = await ends.open()
    ends.client.data_received(frames.encode(GO_AWAY, 0, 0, 2))
    await settle()
    assert isinstance(opener.error, ConnectionResetError)
    assert ends.lost == ["client: the peer gave up (code 2)"]
    assert ends.client_pipe.closed


async def test_a_violation_is_told_and_ends_everything() -> None:
    """Garbage from the pipe sends GO_AWAY, closes the pipe and loses every stream."""
    ends = Ends()
    opener, acceptor = await ends.open()
    ends.server.data_received(b"GET / HTTP/1.1\r\n")
    assert kinds(ends.server_pipe.writes[-1]) == [(GO_AWAY, 0, 0)]
    assert ends.server_pipe.closed
    await settle()
    assert isinstance(acceptor.error, ConnectionResetError)
    assert isinstance(opener.error, ConnectionResetError)
    assert ends.lost[0].startswith("server: the peer broke the protocol")


async def test_a_pipe_that_raises_is_lost() -> None:
    """An OSError from the pipe's write ends the mux like pipe_lost."""
    ends = Ends()
    opener, _ = await ends.open()

    def broken(data: object) -> None:
        raise BrokenPipeError("gone")

    ends.client_pipe.write = broken  # type: ignore[method-assign]
    opener.stream.write(b"x")
    await settle()
    assert isinstance(opener.error, ConnectionResetError)
    assert ends.lost == ["client: the pipe takes no more: gone"]


async def test_drain_raises_when_the_pipe_is_lost() -> None:
    """A writer that waits for room gets ConnectionResetError when the pipe goes."""
    ends = Ends()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    writer = asyncio.StreamWriter(
        ends.client.open(protocol), protocol, reader, asyncio.get_running_loop()
    )
    ends.client.pause_writing()
    writer.write(bytes(HIGH_WATER + 1))
    asyncio.get_running_loop().call_later(0.01, ends.client.pipe_lost, "gone")
    with pytest.raises(ConnectionResetError):
        await writer.drain()
    with pytest.raises(ConnectionResetError, match="gone"):
        await reader.read()
