"""The asyncio shell: real ends on fake pipes."""

from __future__ import annotations

import asyncio
import logging

import pytest
from mux_fakes import Ends, FakePipe, Recorder, settle

from tpconfig.mux import aio, frames
from tpconfig.mux.aio import Mux, MuxStream, Role
from tpconfig.mux.frames import ACK, DATA, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE
from tpconfig.mux.session import INITIAL_WINDOW
from tpconfig.mux.transport import HIGH_WATER


def kinds(wire: bytes) -> list[tuple[int, int, int]]:
    """Type, flags and stream of every frame in ``wire``."""
    return [piece[:3] for piece in frames.FrameReader().feed(wire)]


async def test_opening_and_first_bytes_leave_as_one_write() -> None:
    """SYN, the opening and what is written in the same tick are one write."""
    ends = Ends()
    stream = ends.client.open(Recorder(), opening=b"tcp host 80\n")
    stream.write(b"GET / ")
    stream.write(b"HTTP/1.1\r\n")
    await settle()
    assert kinds(ends.client_pipe.writes[0]) == [(WINDOW_UPDATE, SYN, 1), (DATA, 0, 1)]
    assert len(ends.client_pipe.writes) == 1
    assert ends.accepted[0].data == b"tcp host 80\nGET / HTTP/1.1\r\n"


async def test_streams_of_one_tick_share_a_write() -> None:
    """What several streams write in one tick leaves together."""
    ends = Ends()
    for _ in range(5):
        ends.client.open(Recorder(), opening=b"x")
    await settle()
    assert len(ends.client_pipe.writes) == 1
    assert ends.server.stream_count == 5


async def test_an_accepted_stream_is_made_before_its_data() -> None:
    """The accepting protocol is called as asyncio does."""
    ends = Ends()
    opener = Recorder()
    stream = ends.client.open(opener, opening=b"hello")
    stream.write_eof()
    await settle()
    assert ends.accepted[0].calls == ["made", "data", "eof"]
    assert opener.calls == ["made"]


async def test_half_close_then_the_end_on_both_sides() -> None:
    """The answer travels after FIN; when both have finished both are lost without error."""
    ends = Ends()
    opener, acceptor = await ends.open(b"question")
    opener.stream.write_eof()
    await settle()
    acceptor.stream.write(b"answer")
    acceptor.stream.write_eof()
    await settle()
    assert opener.data == b"answer"
    assert opener.calls == ["made", "data", "eof", "lost"]
    assert acceptor.calls == ["made", "data", "eof", "lost"]
    assert opener.error is None
    assert acceptor.error is None
    assert (ends.client.stream_count, ends.server.stream_count) == (0, 0)


async def test_eof_that_is_not_kept_open_closes() -> None:
    """A protocol whose eof_received returns False is closed, behind what it had written."""
    ends = Ends()
    ends.make = lambda stream: Recorder(keep_open=False)
    opener, acceptor = await ends.open(b"q")
    acceptor.stream.write(b"last words")
    opener.stream.write_eof()
    await settle()
    assert acceptor.calls[-2:] == ["eof", "lost"]
    assert opener.data == b"last words"
    assert opener.calls[-1] == "lost"


async def test_close_sends_what_is_buffered() -> None:
    """close() flushes past the window, then finishes."""
    ends = Ends()
    opener, acceptor = await ends.open()
    body = bytes(range(256)) * 4096
    opener.stream.write(body)
    opener.stream.close()
    assert opener.stream.is_closing()
    await settle(2000)
    assert acceptor.data == body
    assert acceptor.calls[-1] == "eof"
    assert opener.calls[-1] == "lost"
    assert opener.error is None


async def test_after_close_nothing_is_received() -> None:
    """What the peer sends to a closed transport is dropped."""
    ends = Ends()
    opener, acceptor = await ends.open()
    opener.stream.close()
    acceptor.stream.write(b"too late")
    await settle()
    assert "data" not in opener.calls


async def test_a_refusal_arrives_although_bytes_are_under_way() -> None:
    """What was written before close() reaches a peer that is still sending."""
    ends = Ends()
    opener, acceptor = await ends.open(b"tcp nowhere 80\n")
    acceptor.stream.write(b"error refused no\n")
    acceptor.stream.close()
    opener.stream.write(bytes(100_000))
    await settle()
    assert opener.data == b"error refused no\n"
    assert opener.calls[-1] == "eof"
    opener.stream.close()
    await settle()
    assert opener.error is None


async def test_a_peer_that_goes_on_after_close_is_reset() -> None:
    """Who sends a whole window to a closed transport is reset, not stalled for ever."""
    ends = Ends()
    opener, acceptor = await ends.open()
    acceptor.stream.close()
    await settle()
    opener.stream.write(bytes(INITIAL_WINDOW + 1))
    await settle()
    assert isinstance(opener.error, ConnectionResetError)


async def test_a_closed_stream_that_the_peer_never_ends_is_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the linger time a half-closed stream is given up."""
    monkeypatch.setattr(aio, "LINGER_S", 0.01)
    ends = Ends()
    opener, acceptor = await ends.open()
    acceptor.stream.close()
    await asyncio.sleep(0.05)
    await settle()
    assert isinstance(opener.error, ConnectionResetError)
    assert acceptor.error is None


async def test_abort_is_a_reset() -> None:
    """abort() is connection_lost(None) here and ConnectionResetError there."""
    ends = Ends()
    opener, acceptor = await ends.open()
    opener.stream.abort()
    assert opener.calls[-1] == "made"
    await settle()
    assert opener.calls[-1] == "lost"
    assert opener.error is None
    assert isinstance(acceptor.error, ConnectionResetError)


async def test_a_reset_reaches_a_paused_stream() -> None:
    """A protocol that does not read hears of the reset all the same."""
    ends = Ends()
    opener, acceptor = await ends.open()
    acceptor.stream.pause_reading()
    opener.stream.write(b"x")
    await settle()
    opener.stream.abort()
    await settle()
    assert isinstance(acceptor.error, ConnectionResetError)
    assert acceptor.data == b""


async def test_paused_reading_holds_one_window() -> None:
    """While the receiver is paused the sender stops after a window and is told to pause."""
    ends = Ends()
    opener, acceptor = await ends.open()
    acceptor.stream.pause_reading()
    opener.stream.write(bytes(INITIAL_WINDOW + HIGH_WATER + 1))
    await settle()
    assert opener.calls[-1] == "pause"
    assert opener.stream.get_write_buffer_size() == HIGH_WATER + 1
    assert acceptor.data == b""
    acceptor.stream.resume_reading()
    assert acceptor.data == b""
    await settle()
    assert len(acceptor.data) == INITIAL_WINDOW + HIGH_WATER + 1
    assert opener.calls[-1] == "resume"


async def test_eof_waits_behind_what_a_paused_protocol_did_not_take() -> None:
    """A paused protocol gets the bytes, then the end, when it resumes."""
    ends = Ends()
    opener, acceptor = await ends.open()
    acceptor.stream.pause_reading()
    opener.stream.write(b"abc")
    opener.stream.write_eof()
    await settle()
    assert acceptor.calls == ["made"]
    acceptor.stream.resume_reading()
    await settle()
    assert acceptor.calls == ["made", "data", "eof"]


class OneAtATime(Recorder):
    """Pauses in every data_received."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.calls.append(f"{len(data)}")
        self.stream.pause_reading()


async def test_pausing_within_data_received_stops_the_next_piece() -> None:
    """A protocol that pauses in data_received gets one piece per resume."""
    ends = Ends()
    ends.make = lambda stream: OneAtATime()
    opener, acceptor = await ends.open(b"first")
    opener.stream.write(b"second")
    await settle()
    opener.stream.write(b"third")
    await settle()
    assert acceptor.data == b"first"
    acceptor.stream.resume_reading()
    await settle()
    assert acceptor.data == b"firstsecond"


async def test_a_full_pipe_holds_bytes_back_but_not_resets() -> None:
    """While the pipe is full no stream's bytes go out; resets and credit do."""
    ends = Ends()
    one, _ = await ends.open()
    two, _ = await ends.open()
    ends.client_pipe.writes.clear()
    ends.client.pause_writing()
    one.stream.write(b"waits")
    two.stream.abort()
    await settle()
    assert [kinds(wire) for wire in ends.client_pipe.writes] == [[(WINDOW_UPDATE, RST, 3)]]
    ends.client.resume_writing()
    await settle()
    assert ends.accepted[0].data == b"waits"


async def test_a_full_pipe_pauses_protocols() -> None:
    """What piles up behind a full pipe pauses the stream's protocol; it resumes with the pipe."""
    ends = Ends()
    opener, _ = await ends.open()
    ends.client.pause_writing()
    opener.stream.write(bytes(HIGH_WATER + 1))
    assert opener.calls[-1] == "pause"
    ends.client.resume_writing()
    await settle()
    assert opener.calls[-1] == "resume"


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


async def test_one_stalled_stream_does_not_stop_another() -> None:
    """While one receiver is paused another stream's bytes pass."""
    ends = Ends()
    stalled, stalled_there = await ends.open()
    moving, moving_there = await ends.open()
    stalled_there.stream.pause_reading()
    stalled.stream.write(bytes(4 * INITIAL_WINDOW))
    moving.stream.write(bytes(4 * INITIAL_WINDOW))
    await settle(2000)
    assert len(moving_there.data) == 4 * INITIAL_WINDOW
    assert moving.calls[-1] == "resume"


async def test_bulk_streams_take_turns_on_the_wire() -> None:
    """Two streams with much to send alternate by slices of at most 64 KiB."""
    ends = Ends()
    one, _ = await ends.open()
    two, _ = await ends.open()
    ends.client_pipe.writes.clear()
    one.stream.write(bytes(128 * 1024))
    two.stream.write(bytes(128 * 1024))
    await settle()
    wire = b"".join(ends.client_pipe.writes)
    sizes = [(piece[2], piece[3]) for piece in frames.FrameReader().feed(wire)]
    assert [stream_id for stream_id, _ in sizes] == [1, 3, 1, 3]
    assert {size for _, size in sizes} == {64 * 1024}


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


async def test_streams_past_the_limit_are_reset() -> None:
    """The stream that is one too many is lost with a reset, and accept never sees it."""
    ends = Ends(max_streams=2)
    openers = [Recorder() for _ in range(3)]
    for opener in openers:
        ends.client.open(opener)
    await settle()
    assert [type(opener.error) for opener in openers[:2]] == [type(None)] * 2
    assert isinstance(openers[2].error, ConnectionResetError)
    assert len(ends.accepted) == 2


async def test_ping_takes_some_time() -> None:
    """ping() returns the seconds of a round trip."""
    ends = Ends()
    assert await ends.client.ping() >= 0
    assert await ends.server.ping() >= 0


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


async def test_a_cancelled_ping_leaves_nothing() -> None:
    """A pong that nobody waits for any more is ignored."""
    ends = Ends()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await ends.client.ping()
    await settle()
    assert await ends.client.ping() >= 0


async def test_close_says_goodbye() -> None:
    """close() sends what was written, GO_AWAY, closes the pipe and resets; ``lost`` stays silent."""
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


class Synchronous(FakePipe):
    """A pipe that pauses its mux within write, as asyncio's transports do."""

    mux: Mux

    def write(self, data: bytes | bytearray | memoryview) -> None:
        super().write(data)
        self.mux.pause_writing()


async def test_a_pipe_that_pauses_within_write_gets_one_round() -> None:
    """After a write that filled the pipe nothing more of the streams is written."""
    pipe = Synchronous()
    mux = Mux(Role.CLIENT, pipe, accept=lambda stream: Recorder(), lost=lambda reason: None)
    pipe.mux = mux
    stream = mux.open(Recorder())
    stream.write(bytes(100))
    await settle()
    stream.write(bytes(1024 * 1024))
    await settle()
    assert len(pipe.writes) == 1
    mux.resume_writing()
    await settle()
    assert len(pipe.writes) == 2


async def test_the_transport_tells_who_it_is() -> None:
    """get_extra_info knows the stream's id, as a peer's name too."""
    ends = Ends()
    opener, acceptor = await ends.open()
    for stream in (opener.stream, acceptor.stream):
        assert stream.get_extra_info("stream_id") == 1
        assert stream.get_extra_info("peername") == ("mux", 1)
        assert stream.get_extra_info("sslcontext", 7) == 7
        assert stream.can_write_eof()


async def test_write_after_write_eof_is_a_mistake() -> None:
    """As on every asyncio transport."""
    ends = Ends()
    opener, _ = await ends.open()
    opener.stream.write_eof()
    opener.stream.write_eof()
    with pytest.raises(RuntimeError):
        opener.stream.write(b"x")


@pytest.mark.parametrize("wrong", ["text", 5, None])
async def test_only_bytes_can_be_written(wrong: object) -> None:
    """Writing anything else is a TypeError."""
    ends = Ends()
    opener, _ = await ends.open()
    with pytest.raises(TypeError):
        opener.stream.write(wrong)


async def test_what_is_written_is_what_it_was_then() -> None:
    """A bytearray or a view may change after write(); writelines joins."""
    ends = Ends()
    opener, acceptor = await ends.open()
    data = bytearray(b"then")
    opener.stream.write(data)
    opener.stream.write(memoryview(data)[1:])
    data[:] = b"now!"
    opener.stream.writelines([b"a", b"b"])
    await settle()
    assert acceptor.data == b"thenhenab"


async def test_write_buffer_limits_are_asyncios() -> None:
    """The marks are set, read, checked and acted on as in asyncio."""
    ends = Ends()
    opener, _ = await ends.open()
    stream = opener.stream
    stream.set_write_buffer_limits(low=10)
    assert stream.get_write_buffer_limits() == (10, 40)
    with pytest.raises(ValueError, match="must be"):
        stream.set_write_buffer_limits(high=1, low=2)
    stream.write(b"x" * 10)
    stream.set_write_buffer_limits(high=0)
    assert opener.calls[-1] == "pause"
    await settle()
    assert opener.calls[-1] == "resume"


async def test_a_new_protocol_is_told_that_writing_is_paused() -> None:
    """set_protocol hands over the paused state too."""
    ends = Ends()
    opener, _ = await ends.open()
    opener.stream.write(bytes(HIGH_WATER + 1))
    heir = Recorder()
    opener.stream.set_protocol(heir)
    assert opener.stream.get_protocol() is heir
    await settle()
    assert heir.calls == ["pause", "resume"]


class Buffered(asyncio.BufferedProtocol):
    """Offers ten bytes at a time."""

    def __init__(self) -> None:
        self.buffer = bytearray(10)
        self.data = b""
        self.ended = False

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.buffer[:nbytes]

    def eof_received(self) -> None:
        self.ended = True


async def test_a_buffered_protocol_works() -> None:
    """A BufferedProtocol gets the bytes into its own buffers."""
    ends = Ends()
    buffered = Buffered()
    ends.make = lambda stream: buffered
    stream = ends.client.open(Recorder(), opening=b"more than ten bytes at once")
    stream.write_eof()
    await settle()
    assert buffered.data == b"more than ten bytes at once"
    assert buffered.ended


async def test_asyncio_streams_work_on_both_ends() -> None:
    """StreamReader and StreamWriter with drain, half-close and wait_closed, over many windows."""
    ends = Ends()
    loop = asyncio.get_running_loop()
    served: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(await reader.read())
        for _ in range(20):
            writer.write(bytes(50_000))
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with asyncio.TaskGroup() as group:
        ends.make = lambda stream: asyncio.StreamReaderProtocol(
            asyncio.StreamReader(), lambda r, w: group.create_task(serve(r, w)) and None
        )
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        writer = asyncio.StreamWriter(ends.client.open(protocol), protocol, reader, loop)
        for _ in range(20):
            writer.write(bytes(50_000))
            await writer.drain()
        writer.write_eof()
        assert len(await reader.read()) == 1_000_000
        writer.close()
        await writer.wait_closed()
    assert [len(data) for data in served] == [1_000_000]
    await settle()
    assert (ends.client.stream_count, ends.server.stream_count) == (0, 0)


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


async def test_acks_are_sent_without_being_asked() -> None:
    """The accepting end answers SYN with ACK at once."""
    ends = Ends()
    await ends.open()
    assert kinds(ends.server_pipe.writes[0]) == [(WINDOW_UPDATE, ACK, 1)]
