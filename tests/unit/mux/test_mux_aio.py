"""The mux on asyncio: what leaves when, whose turn it is, limits; real ends on fake pipes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mux_fakes import Ends, FakePipe, Recorder, settle

from tpconfig.mux import frames
from tpconfig.mux.aio import Mux, Role
from tpconfig.mux.frames import ACK, DATA, RST, SYN, WINDOW_UPDATE
from tpconfig.mux.transport import HIGH_WATER
from tpconfig.mux.window import YAMUX_WINDOW


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


async def test_one_stalled_stream_does_not_stop_another() -> None:
    """While one receiver is paused another stream's bytes pass."""
    ends = Ends()
    stalled, stalled_there = await ends.open()
    moving, moving_there = await ends.open()
    stalled_there.stream.pause_reading()
    stalled.stream.write(bytes(4 * YAMUX_WINDOW))
    moving.stream.write(bytes(4 * YAMUX_WINDOW))
    await settle(2000)
    assert len(moving_there.data) == 4 * YAMUX_WINDOW
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
    slices = [(stream_id, size) for stream_id, size in sizes if stream_id]
    assert slices == [(stream_id, 64 * 1024) for stream_id in (1, 3, 1, 3)]


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


async def test_a_cancelled_ping_leaves_nothing() -> None:
    """A pong that nobody waits for any more is ignored."""
    ends = Ends()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await ends.client.ping()
    await settle()
    assert await ends.client.ping() >= 0


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


async def test_acks_are_sent_without_being_asked() -> None:
    """The accepting end answers SYN with ACK at once."""
    ends = Ends()
    await ends.open()
    assert kinds(ends.server_pipe.writes[0]) == [(WINDOW_UPDATE, ACK, 1)]


async def test_waiting_for_the_pipe_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the pipe is full the mux does not keep the event loop busy."""
    ends = Ends()
    opener, _ = await ends.open()
    ends.client.pause_writing()
    opener.stream.write(b"waits")
    await settle()
    loop = asyncio.get_running_loop()
    scheduled: list[object] = []
    call_soon = loop.call_soon

    def counted(callback: Any, *arguments: Any, **context: Any) -> asyncio.Handle:
        if getattr(callback, "__self__", None) is ends.client:
            scheduled.append(callback)
        return call_soon(callback, *arguments, **context)

    monkeypatch.setattr(loop, "call_soon", counted)
    await settle()
    assert scheduled == []
