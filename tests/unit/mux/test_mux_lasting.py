"""A mux's pipe over connections that come and go: two real muxes, and connections of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from mux_fakes import Recorder, settle

from tpconfig.mux.aio import Mux, Role
from tpconfig.mux.lasting import LastingPipe, Pulse
from tpconfig.mux.resume import REPLAY_LIMIT, ResumeError

STILL = Pulse(beat_s=1000.0)
QUICK = Pulse(beat_s=0.02)


class Wire:
    """One end of a connection: what is written arrives at the ``far`` end in the next tick."""

    far: Wire

    def __init__(self) -> None:
        self.closed = False
        self.carries = True
        self.lost: Callable[[str], None] = lambda reason: None
        self.pause: Callable[[], None] = lambda: None
        self.resume: Callable[[], None] = lambda: None
        self._received: Callable[[bytes], None] = lambda data: None

    def start(
        self,
        received: Callable[[bytes], None],
        lost: Callable[[str], None],
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        self._received, self.lost = received, lost
        self.pause, self.resume = pause, resume

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.carries and not self.closed:
            asyncio.get_running_loop().call_soon(self.far.arrive, bytes(data))

    def arrive(self, data: bytes) -> None:
        if self.carries and not self.closed:
            self._received(data)

    def close(self) -> None:
        self.closed = True


class Link:
    """Both ends of a link; the server's streams are recorded."""

    def __init__(self, pulse: Pulse = STILL) -> None:
        self.accepted: list[Recorder] = []
        self.lost: list[str] = []
        self.over: list[str] = []
        self.client = LastingPipe(lambda why: self.lost.append(f"client: {why}"), pulse=pulse)
        self.server = LastingPipe(lambda why: self.lost.append(f"server: {why}"), pulse=STILL)
        self.client_mux = Mux(
            Role.CLIENT, self.client, accept=self._accept, lost=self._over("client")
        )
        self.server_mux = Mux(
            Role.SERVER, self.server, accept=self._accept, lost=self._over("server")
        )
        self.client.serve(self.client_mux)
        self.server.serve(self.server_mux)
        self.connect()

    def connect(self) -> None:
        """Make a connection whose handshake is done."""
        self.near, self.away = Wire(), Wire()
        self.near.far, self.away.far = self.away, self.near
        client, server = self.client.received, self.server.received
        self.client.attach(self.near, peer_received=server, early=b"")
        self.server.attach(self.away, peer_received=client, early=b"")

    def cut(self) -> None:
        """Lose the connection at both ends."""
        near, away = self.near, self.away
        near.carries = away.carries = False
        near.lost("cut")
        away.lost("cut")

    def _accept(self, stream: object) -> Recorder:
        self.accepted.append(Recorder())
        return self.accepted[-1]

    def _over(self, who: str) -> Callable[[str], None]:
        return lambda reason: self.over.append(f"{who}: {reason}")


async def test_a_stream_outlives_its_connection() -> None:
    """Neither end of it notices, and what was written meanwhile arrives."""
    link = Link()
    opener = Recorder()
    link.client_mux.open(opener, opening=b"one ")
    await settle()
    opener.stream.write(b"two ")
    link.cut()
    opener.stream.write(b"three")
    await settle()
    link.connect()
    await settle()
    assert link.accepted[0].data == b"one two three"
    assert "lost" not in opener.calls
    assert link.lost == ["client: cut", "server: cut"]


async def test_a_stream_can_be_opened_while_nothing_carries_it() -> None:
    """It is there when the next connection is."""
    link = Link()
    link.cut()
    link.client_mux.open(Recorder(), opening=b"patience")
    await settle()
    assert link.accepted == []
    link.connect()
    await settle()
    assert link.accepted[0].data == b"patience"


async def test_what_is_kept_is_bounded_while_nothing_carries_it() -> None:
    """Who writes is paused; no replay memory fills with what cannot leave."""
    link = Link()
    opener = Recorder()
    link.client_mux.open(opener)
    await settle()
    link.cut()
    opener.stream.write(bytes(1 << 20))
    await settle()
    assert opener.calls[-1] == "pause"
    assert link.client.held < 1000
    link.connect()
    await settle()
    assert len(link.accepted[0].data) == 1 << 20


async def test_what_is_kept_is_bounded_while_the_peer_acknowledges_nothing() -> None:
    """A connection that takes everything and delivers nothing does not fill the memory."""
    link = Link()
    link.near.carries = False
    for _ in range(2 * (REPLAY_LIMIT >> 20)):
        link.client_mux.open(Recorder(), opening=bytes(1 << 20))
    await settle(2000)
    assert link.client.held < 2 * REPLAY_LIMIT
    link.cut()
    link.connect()
    await settle(4000)
    assert sum(len(one.data) for one in link.accepted) >= REPLAY_LIMIT


async def test_a_full_connection_pauses_the_mux() -> None:
    """Streams wait while the pipe under the link is full, as without a link."""
    link = Link()
    opener = Recorder()
    link.client_mux.open(opener)
    await settle()
    link.near.pause()
    opener.stream.write(b"x" * 200_000)
    await settle()
    assert link.accepted[0].data == b""
    link.near.resume()
    await settle()
    assert link.accepted[0].data == b"x" * 200_000


async def test_goodbye_ends_the_peer_s_streams_with_the_reason() -> None:
    """Who closes says why; the other end cannot be resumed."""
    link = Link()
    opener = Recorder()
    link.client_mux.open(opener, opening=b"x")
    await settle()
    link.server.reason = "the agent ends"
    link.server_mux.close()
    await settle()
    assert str(opener.error) == "the agent ends"
    assert link.over == ["client: the agent ends"]
    with pytest.raises(ResumeError):
        link.connect()


async def test_an_old_connection_has_no_say() -> None:
    """What it still delivers, and its end, mean nothing once there is another one."""
    link = Link()
    old = link.near
    link.cut()
    link.connect()
    old.carries, old.closed = True, False
    old.arrive(b"\5nonsense")
    old.lost("again")
    await settle()
    assert link.client.attached
    assert link.lost == ["client: cut", "server: cut"]


async def test_nonsense_ends_the_link() -> None:
    """A peer that breaks the link's protocol is not spoken to any more."""
    link = Link()
    link.near.arrive(b"\5" + bytes(8))
    await settle()
    assert "client: the link's other end broke its protocol" in link.over[0]
    assert link.near.closed


async def test_pings_tell_the_round_trip_and_keep_a_quiet_link() -> None:
    """Beats each way are enough to stay connected."""
    link = Link(QUICK)
    async with asyncio.timeout(5):
        while link.client.rtt_s is None:
            await asyncio.sleep(0.01)
    await asyncio.sleep(3 * QUICK.silence_s)
    assert link.client.attached
    assert link.client.rtt_s < 1.0


async def test_two_silent_beats_are_a_loss() -> None:
    """An open connection that carries nothing is given up."""
    link = Link(QUICK)
    link.near.carries = False
    async with asyncio.timeout(5):
        while link.client.attached:
            await asyncio.sleep(0.01)
    assert link.lost[0].startswith("client: nothing heard for 0.")
    assert link.near.closed


async def test_what_is_overdue_counts_from_the_beat_that_did_not_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within a beat nothing is; two and a half beats of silence are one and a half too many."""
    link, loop = Link(STILL), asyncio.get_running_loop()
    began_s, overdue = loop.time(), []
    for beats in (0.5, 2.5):
        now_s = began_s + beats * STILL.beat_s
        monkeypatch.setattr(loop, "time", lambda now_s=now_s: now_s)
        overdue.append(link.server.overdue_s)
    assert overdue == pytest.approx([0.0, 1.5 * STILL.beat_s], abs=5)


async def test_a_doubted_connection_that_answers_stays() -> None:
    """Only one that is silent for as long as it was given is lost."""
    link = Link()
    await settle()
    link.client.expect(0.05)
    await asyncio.sleep(0.15)
    assert link.client.attached
    link.near.carries = False
    link.client.expect(0.05)
    async with asyncio.timeout(5):
        while link.client.attached:
            await asyncio.sleep(0.01)
