"""A UDP flow's stream end: boundaries, idleness, room."""

from __future__ import annotations

import asyncio
import socket

from tpconfig.mux.datagrams import Unpacker, pack
from tpconfig.mux.udpflow import Budget, Flow, SocketFlow, idle_s


class Stream(asyncio.Transport):
    """Collects what is written; closing it is noticed at once."""

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow
        self.sent: list[bytes] = []
        self._closing = False
        self._unpacker = Unpacker()
        flow.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Collect."""
        self.sent += self._unpacker.feed(bytes(data))

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def close(self) -> None:
        """Close."""
        if not self._closing:
            self._closing = True
            self.flow.connection_lost(None)


async def test_datagrams_are_delivered_whole() -> None:
    """However the stream cuts them."""
    heard: list[bytes] = []
    flow = Flow(heard.append, ended=lambda: None, idle_s=60)
    stream = Stream(flow)
    for byte in pack(b"one") + pack(b"") + pack(b"two"):
        flow.data_received(bytes((byte,)))
    assert heard == [b"one", b"", b"two"]
    stream.close()


async def test_silence_ends_a_flow() -> None:
    """Nobody has sent anything for a while, so the stream is closed and the owner told."""
    ended = asyncio.Event()
    flow = Flow(lambda datagram: None, ended=ended.set, idle_s=0.02)
    stream = Stream(flow)
    await asyncio.wait_for(ended.wait(), 5)
    assert stream.is_closing()


async def test_who_speaks_is_not_silent() -> None:
    """Either side's datagrams keep the flow."""
    ended = asyncio.Event()
    flow = Flow(lambda datagram: None, ended=ended.set, idle_s=0.5)
    stream = Stream(flow)
    for turn in range(8):
        await asyncio.sleep(0.1)
        if turn % 2:
            flow.send(b"x")
        else:
            flow.data_received(pack(b"y"))
    assert not ended.is_set()
    stream.close()


async def test_without_room_datagrams_are_dropped() -> None:
    """UDP promises nothing, and nothing is queued."""
    flow = Flow(lambda datagram: None, ended=lambda: None, idle_s=60)
    stream = Stream(flow)
    flow.send(b"one")
    flow.pause_writing()
    flow.send(b"lost")
    flow.resume_writing()
    flow.send(b"two")
    assert stream.sent == [b"one", b"two"]
    stream.close()


async def test_what_comes_before_the_socket_is_held() -> None:
    """A name may take a moment to be resolved."""
    ended = asyncio.Event()
    flow = SocketFlow(ended=ended.set, idle_s=60)
    stream = Stream(flow)
    flow.data_received(pack(b"early"))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    flow.attach(theirs)
    assert ours.recv(100) == b"early"
    ours.send(b"reply")
    while not stream.sent:
        await asyncio.sleep(0.01)
    assert stream.sent == [b"reply"]
    stream.close()
    assert theirs.fileno() == -1
    assert ended.is_set()
    ours.close()


async def test_a_socket_that_comes_too_late_is_closed() -> None:
    """The flow may be over before its socket is there."""
    flow = SocketFlow(ended=lambda: None, idle_s=60)
    Stream(flow).close()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    flow.attach(theirs)
    assert theirs.fileno() == -1
    ours.close()


def test_flows_are_counted() -> None:
    """Past the limit there is none, until one is given back."""
    budget = Budget(2)
    assert [budget.take(), budget.take(), budget.take()] == [True, True, False]
    budget.give_back()
    assert budget.take()


def test_dns_flows_are_short() -> None:
    """A question is asked once."""
    assert idle_s(53) < idle_s(5353)
