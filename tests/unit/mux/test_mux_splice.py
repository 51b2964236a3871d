"""Splices between streams of two muxes: client -> [splice] -> server, all in one loop."""

from __future__ import annotations

import asyncio

import pytest
from mux_fakes import Ends, Recorder, settle

from tpconfig.mux.splice import HIGH_WATER, Splice
from tpconfig.mux.window import START_WINDOW


class Chain:
    """``near`` - mux - splice - mux - ``far``: what near sends, far gets, and the other way."""

    def __init__(self) -> None:
        self.splice = Splice()
        self.left, self.right = Ends(), Ends()
        self.left.make = lambda stream: self.splice.a
        self.near, self.far = Recorder(), Recorder()
        self.right.make = lambda stream: self.far
        self.ended = 0
        self.splice.on_done = self._on_done

    def _on_done(self) -> None:
        self.ended += 1

    def dial(self, opening: bytes = b"") -> None:
        """Connect near to the splice."""
        self.left.client.open(self.near, opening=opening)

    def connect(self) -> None:
        """Connect the splice to far."""
        self.right.client.open(self.splice.b)


@pytest.fixture
async def chain() -> Chain:
    """Both ends connected."""
    chain = Chain()
    chain.dial()
    chain.connect()
    await settle()
    return chain


async def test_bytes_pass_both_ways_and_are_counted(chain: Chain) -> None:
    """What comes in on one side goes out on the other."""
    chain.near.stream.write(b"question")
    await settle()
    chain.far.stream.write(b"an answer")
    await settle()
    assert (chain.far.data, chain.near.data) == (b"question", b"an answer")
    assert (chain.splice.a.received, chain.splice.b.received) == (8, 9)


@pytest.mark.parametrize("first", ["near", "far"])
async def test_half_close_passes_both_ways(chain: Chain, first: str) -> None:
    """One side's end reaches the other side, which still answers; then both are lost in order."""
    one, other = (chain.near, chain.far) if first == "near" else (chain.far, chain.near)
    one.stream.write(b"all")
    one.stream.write_eof()
    await settle()
    assert (other.data, other.calls[-1]) == (b"all", "eof")
    other.stream.write(b"reply")
    await settle()
    other.stream.write_eof()
    await settle()
    assert one.data == b"reply"
    assert (one.calls[-1], other.calls[-1]) == ("lost", "lost")
    assert (one.error, other.error) == (None, None)
    assert chain.splice.done
    assert chain.ended == 1


@pytest.mark.parametrize("first", ["near", "far"])
async def test_a_reset_passes_both_ways(chain: Chain, first: str) -> None:
    """One side's reset is the other side's reset."""
    one, other = (chain.near, chain.far) if first == "near" else (chain.far, chain.near)
    one.stream.abort()
    await settle()
    assert isinstance(other.error, ConnectionResetError)
    assert chain.ended == 1


async def test_a_lost_pipe_is_a_reset(chain: Chain) -> None:
    """When one side's pipe goes, the other side sees a reset, not an end."""
    chain.left.server.pipe_lost("gone")
    await settle()
    assert isinstance(chain.far.error, ConnectionResetError)
    assert "eof" not in chain.far.calls


async def test_abort_resets_both(chain: Chain) -> None:
    """Splice.abort() is a reset for both sides."""
    chain.splice.abort()
    await settle()
    assert isinstance(chain.far.error, ConnectionResetError)
    assert isinstance(chain.near.error, ConnectionResetError)


async def test_bytes_before_the_other_side_are_held() -> None:
    """What arrives early is handed on, with its end, when the other side is there."""
    chain = Chain()
    chain.dial(b"early ")
    await settle()
    chain.near.stream.write(b"bird")
    chain.near.stream.write_eof()
    await settle()
    chain.connect()
    await settle()
    assert chain.far.data == b"early bird"
    assert chain.far.calls[-1] == "eof"
    chain.far.stream.write(b"worm")
    chain.far.stream.close()
    await settle()
    assert chain.near.data == b"worm"
    assert (chain.near.error, chain.ended) == (None, 1)


async def test_what_is_held_is_bounded() -> None:
    """While the other side is not there, reading is paused."""
    chain = Chain()
    chain.dial(b"x")
    await settle()
    chain.near.stream.write(bytes(2 * START_WINDOW))
    await settle()
    assert chain.near.stream.get_write_buffer_size() >= START_WINDOW
    chain.connect()
    await settle(2000)
    assert len(chain.far.data) == 2 * START_WINDOW + 1


async def test_a_side_that_went_early_resets_the_other() -> None:
    """When one side is lost before the other is connected, the other is reset on arrival."""
    chain = Chain()
    chain.dial(b"x")
    await settle()
    chain.near.stream.abort()
    await settle()
    chain.connect()
    await settle()
    assert isinstance(chain.far.error, ConnectionResetError)
    assert chain.ended == 1


async def test_a_slow_side_slows_the_other(chain: Chain) -> None:
    """Bytes between a fast and a stopped side are bounded by two windows and a buffer."""
    chain.far.stream.pause_reading()
    size = 4 * START_WINDOW + HIGH_WATER
    chain.near.stream.write(bytes(size))
    await settle(2000)
    assert chain.splice.a.received < size
    chain.far.stream.resume_reading()
    await settle(4000)
    assert len(chain.far.data) == size


async def test_a_protocol_may_hand_its_stream_over() -> None:
    """Who read the first line may give the stream, and what it read too much, to a splice."""
    chain = Chain()
    chain.connect()

    class First(Recorder):
        def data_received(self, data: bytes) -> None:
            end = chain.splice.a
            self.stream.set_protocol(end)
            end.connection_made(self.stream)
            end.data_received(data.partition(b"\n")[2])

    chain.left.make = lambda stream: First()
    chain.dial(b"tcp host 80\nGET /")
    await settle()
    chain.near.stream.write(b" HTTP/1.1")
    await settle()
    assert chain.far.data == b"GET / HTTP/1.1"
    chain.far.stream.abort()
    await settle()
    assert isinstance(chain.near.error, ConnectionResetError)


async def test_half_an_answer_never_looks_whole(chain: Chain) -> None:
    """When a side goes before it has finished, the other is reset, even one that had."""
    chain.near.stream.write_eof()
    await settle()
    assert chain.splice.b.transport is not None
    chain.splice.b.transport.close()
    await settle()
    assert isinstance(chain.near.error, ConnectionResetError)
    assert "eof" not in chain.near.calls


class Plain(asyncio.Transport):
    """Writes down what is asked of it; goes on reading although paused, as uvloop's may."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.calls: list[str] = []

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.calls.append("eof")

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data


def test_bytes_that_come_although_reading_is_paused_are_held() -> None:
    """A transport that does not honour pausing at once loses nothing."""
    splice = Splice()
    splice.a.connection_made(Plain())
    splice.a.data_received(b"one ")
    splice.a.data_received(b"two")
    target = Plain()
    splice.b.connection_made(target)
    splice.a.data_received(b" three")
    assert target.written == b"one two three"


def test_a_side_that_is_full_from_the_start_is_honoured() -> None:
    """A side that was full before the other was connected keeps the other from reading."""
    splice = Splice()
    splice.b.pause_writing()
    splice.b.connection_made(Plain())
    source = Plain()
    splice.a.connection_made(source)
    assert source.calls == ["pause"]
    splice.b.resume_writing()
    assert source.calls == ["pause", "resume"]


def test_the_end_is_passed_on_once() -> None:
    """A side that has ended is not read again, which would end it twice."""
    splice = Splice()
    source, target = Plain(), Plain()
    splice.a.connection_made(source)
    splice.b.connection_made(target)
    splice.b.pause_writing()
    splice.a.eof_received()
    splice.a.eof_received()
    splice.b.resume_writing()
    assert source.calls == ["pause"]
    assert target.calls == ["eof"]
