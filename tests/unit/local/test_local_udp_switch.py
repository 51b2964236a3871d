"""Conversations over UDP, with a tunnel and sockets that only remember."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tpconfig.local.udp import UdpSwitch

SOURCE = ("127.0.0.1", 40000)
FAR = ("10.0.0.1", 80)


class FakeFlow:
    """A tunnel's end."""

    def __init__(self, deliver: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        self.deliver, self.closed = deliver, closed
        self.sent: list[bytes] = []
        self.is_closed = False

    def send(self, datagram: bytes) -> None:
        self.sent.append(datagram)

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A switch between a listener on loopback and fake flows."""

    def __init__(self, max_flows: int = 10) -> None:
        self.flows: list[FakeFlow] = []
        self.voices: list[socket.socket] = []
        self.asked = 0
        self.work: list[Coroutine[Any, Any, None]] = []
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.switch = UdpSwitch(self.voice, self.work.append, self.open, max_flows=max_flows)

    def open(
        self,
        destination: tuple[str, int],
        *,
        deliver: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> FakeFlow:
        self.flows.append(FakeFlow(deliver, closed))
        return self.flows[-1]

    async def voice(self, address: tuple[str, int]) -> socket.socket:
        self.asked += 1
        if address[0] == "255.255.255.255":
            raise PermissionError
        self.voices.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        return self.voices[-1]

    async def settle(self) -> None:
        while self.work:
            await self.work.pop(0)

    @property
    def source(self) -> tuple[str, int]:
        address: tuple[str, int] = self.listener.getsockname()
        return address


@pytest.fixture
async def bench() -> Any:
    """A bench with a running loop."""
    bench = Bench()
    yield bench
    bench.switch.close()
    for work in bench.work:
        work.close()
    bench.listener.close()


async def test_one_conversation_for_one_pair(bench: Bench) -> None:
    """Datagrams of the same two ends share a flow and a voice."""
    for datagram in (b"1", b"2"):
        bench.switch.send(datagram, bench.source, FAR)
    await bench.settle()
    assert ([flow.sent for flow in bench.flows], bench.asked) == ([[b"1", b"2"]], 1)


async def test_answers_wait_for_their_voice(bench: Bench) -> None:
    """An answer that is faster than the socket that shall say it is said then."""
    bench.switch.send(b"?", bench.source, FAR)
    bench.flows[0].deliver(b"early")
    await bench.settle()
    bench.flows[0].deliver(b"late")
    assert [bench.listener.recv(9) for _ in range(2)] == [b"early", b"late"]


async def test_a_voice_is_shared_by_its_destination(bench: Bench) -> None:
    """Two sources that talk to one far end need one socket; it goes with the last of them."""
    bench.switch.send(b"?", bench.source, FAR)
    bench.switch.send(b"?", SOURCE, FAR)
    await bench.settle()
    bench.flows[0].closed()
    still_open = bench.voices[0].fileno() != -1
    bench.flows[1].closed()
    assert (bench.asked, still_open, bench.voices[0].fileno()) == (1, True, -1)


async def test_a_closed_flow_is_opened_anew(bench: Bench) -> None:
    """After the tunnel closed a conversation the next datagram starts another."""
    bench.switch.send(b"1", bench.source, FAR)
    bench.flows[0].closed()
    bench.switch.send(b"2", bench.source, FAR)
    assert [flow.sent for flow in bench.flows] == [[b"1"], [b"2"]]


async def test_no_voice_no_conversation(bench: Bench) -> None:
    """A far end that nobody can speak as ends its conversation."""
    bench.switch.send(b"?", bench.source, ("255.255.255.255", 9))
    await bench.settle()
    assert (len(bench.switch), bench.flows[0].is_closed) == (0, True)


async def test_the_table_is_bounded() -> None:
    """One conversation too many ends the longest silent one."""
    bench = Bench(max_flows=2)
    for port in (1, 2, 3):
        bench.switch.send(b"?", SOURCE, ("10.0.0.1", port))
    await bench.settle()
    bench.switch.close()
    bench.listener.close()
    assert [flow.is_closed for flow in bench.flows] == [True, True, True]
    assert bench.asked == 3


async def test_a_flow_may_close_while_it_opens() -> None:
    """A tunnel that refuses from within the opening call leaves nothing behind."""
    bench = Bench()

    def refuse(
        destination: tuple[str, int],
        *,
        deliver: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> FakeFlow:
        closed()
        return FakeFlow(deliver, closed)

    switch = UdpSwitch(bench.voice, bench.work.append, refuse)
    switch.send(b"?", SOURCE, FAR)
    await bench.settle()
    bench.listener.close()
    assert (len(switch), [voice.fileno() for voice in bench.voices]) == (0, [-1])


async def test_late_answers_of_an_ended_flow_are_dropped(bench: Bench) -> None:
    """What a tunnel delivers after its conversation ended reaches nobody."""
    bench.switch.send(b"?", bench.source, FAR)
    await bench.settle()
    bench.switch.close()
    bench.flows[0].deliver(b"late")
    await asyncio.sleep(0)
    bench.listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        bench.listener.recv(9)
