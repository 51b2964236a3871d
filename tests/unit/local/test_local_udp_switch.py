"""Conversations over UDP, with a tunnel and a voice that only remember."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, cast

import pytest

from tpconfig.local.udp import UdpSwitch, packet

SOURCE = ("198.18.0.1", 40000)
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


class FakeVoice:
    """A raw socket; some say that there is no room."""

    def __init__(self) -> None:
        self.said: list[tuple[bytes, tuple[str, int]]] = []
        self.full = False

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        if self.full:
            raise BlockingIOError
        self.said.append((data, address))


class Bench:
    """A switch between a voice and fake flows; ``refuses``: the tunnel closes what it opens."""

    def __init__(self, max_flows: int = 10, *, refuses: bool = False) -> None:
        self.flows: list[FakeFlow] = []
        self.voice = FakeVoice()
        self.refuses = refuses
        self.switch = UdpSwitch(cast("Any", self.voice), self.open, max_flows=max_flows)

    def open(
        self,
        destination: tuple[str, int],
        *,
        deliver: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> FakeFlow:
        if self.refuses:
            closed()
        self.flows.append(FakeFlow(deliver, closed))
        return self.flows[-1]


@pytest.fixture
async def bench() -> Bench:
    """A bench with a running loop."""
    return Bench()


def test_a_packet_is_what_the_standards_say() -> None:
    """Version 4, five words, UDP, both ends, and the length of UDP's header with the payload."""
    made = packet(b"hello", speaker=FAR, listener=SOURCE)
    assert (made[0], made[9], made[28:]) == (0x45, 17, b"hello")
    assert made[12:20] == bytes((10, 0, 0, 1, 198, 18, 0, 1))
    assert struct.unpack("!4H", made[20:28]) == (80, 40000, 13, 0)


async def test_one_conversation_for_one_pair(bench: Bench) -> None:
    """Datagrams of the same two ends share a flow."""
    for datagram in (b"1", b"2"):
        bench.switch.send(datagram, SOURCE, FAR)
    assert [flow.sent for flow in bench.flows] == [[b"1", b"2"]]


async def test_answers_come_from_the_far_end(bench: Bench) -> None:
    """Whoever asked hears it from whom it asked."""
    bench.switch.send(b"?", SOURCE, FAR)
    bench.flows[0].deliver(b"!")
    expected = packet(b"!", speaker=FAR, listener=SOURCE)
    assert bench.voice.said == [(expected, (SOURCE[0], 0))]


async def test_an_answer_without_room_is_dropped(bench: Bench) -> None:
    """UDP promises nothing, and the conversation goes on."""
    bench.switch.send(b"?", SOURCE, FAR)
    bench.voice.full = True
    bench.flows[0].deliver(b"lost")
    bench.voice.full = False
    bench.flows[0].deliver(b"heard")
    assert [data[28:] for data, _ in bench.voice.said] == [b"heard"]


async def test_a_closed_flow_is_opened_anew(bench: Bench) -> None:
    """After the tunnel closed a conversation the next datagram starts another."""
    bench.switch.send(b"1", SOURCE, FAR)
    bench.flows[0].closed()
    bench.switch.send(b"2", SOURCE, FAR)
    assert [flow.sent for flow in bench.flows] == [[b"1"], [b"2"]]


async def test_the_table_is_bounded() -> None:
    """One conversation too many ends the longest silent one."""
    bench = Bench(max_flows=2)
    for port in (1, 2, 3):
        bench.switch.send(b"?", SOURCE, ("10.0.0.1", port))
    assert [flow.is_closed for flow in bench.flows] == [True, False, False]
    bench.switch.close()
    assert [flow.is_closed for flow in bench.flows] == [True, True, True]


async def test_a_flow_may_close_while_it_opens() -> None:
    """A tunnel that refuses from within the opening call leaves nothing behind."""
    bench = Bench(refuses=True)
    bench.switch.send(b"?", SOURCE, FAR)
    assert (len(bench.switch), bench.flows[0].is_closed) == (0, True)


async def test_late_answers_of_an_ended_flow_are_dropped(bench: Bench) -> None:
    """What a tunnel delivers after its conversation ended reaches nobody."""
    bench.switch.send(b"?", SOURCE, FAR)
    bench.switch.close()
    bench.flows[0].deliver(b"late")
    assert bench.voice.said == []
