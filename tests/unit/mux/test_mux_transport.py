"""A stream as an asyncio transport: the calls and callbacks that asyncio promises."""

from __future__ import annotations

import asyncio

import pytest
from mux_fakes import Ends, Recorder, settle

from tpconfig.mux import aio
from tpconfig.mux.transport import HIGH_WATER
from tpconfig.mux.window import START_WINDOW


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
    opener.stream.write(bytes(START_WINDOW + 1))
    await settle()
    assert isinstance(opener.error, ConnectionResetError)


async def test_a_peer_that_had_used_its_window_before_close_is_reset() -> None:
    """Who waits for credit that a closed transport will never give is reset, not left waiting."""
    ends = Ends()
    opener, acceptor = await ends.open()
    acceptor.stream.pause_reading()
    opener.stream.write(bytes(START_WINDOW + 1))
    await settle()
    acceptor.stream.close()
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
    opener.stream.write(bytes(START_WINDOW + HIGH_WATER + 1))
    await settle()
    assert opener.calls[-1] == "pause"
    assert opener.stream.get_write_buffer_size() == HIGH_WATER + 1
    assert acceptor.data == b""
    acceptor.stream.resume_reading()
    assert acceptor.data == b""
    await settle()
    assert len(acceptor.data) == START_WINDOW + HIGH_WATER + 1
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
