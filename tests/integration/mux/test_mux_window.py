"""Windows that grow by what a round trip takes, and the memory that all of them share."""

from __future__ import annotations

import pytest

from tests.unit.mux.mux_fakes import Ends, Recorder, settle
from tpconfig.mux import flow
from tpconfig.mux.session import (
    MAX_STREAMS,
    Role,
    SendWindowOpened,
    Session,
    SessionClosedError,
    StreamReset,
)
from tpconfig.mux.window import (
    FIRST_WINDOW,
    LINK_MEMORY,
    MAX_WINDOW,
    START_WINDOW,
    YAMUX_WINDOW,
    Windows,
)


class Round:
    """Two ends of a link, one round trip at a time; the server takes what arrives at once."""

    def __init__(self) -> None:
        limits = {"first_window": FIRST_WINDOW, "max_streams": MAX_STREAMS}
        self.client = Session(Role.CLIENT, **limits)
        self.server = Session(Role.SERVER, **limits)
        self.there()
        self.back()

    def there(self) -> None:
        """Carry the client's words to the server."""
        self.server.receive_data(self.client.data_to_send())
        self.server.events_received()

    def back(self) -> None:
        """Carry the server's words to the client."""
        self.client.receive_data(self.server.data_to_send())
        self.client.events_received()

    def opened(self) -> int:
        """A stream that both know of."""
        stream_id = self.client.open()
        self.there()
        self.back()
        return stream_id

    def trip(self, stream_id: int, size: int) -> None:
        """Send ``size`` bytes at most, have them taken in pieces, and carry the answers."""
        size = min(size, self.client.send_budget(stream_id))
        self.client.send(stream_id, bytes(size))
        self.there()
        piece = -(-size // 8)
        for at in range(0, size, piece):
            self.server.consumed(stream_id, min(piece, size - at))
        self.back()


def test_a_window_that_is_used_up_grows_to_its_bound() -> None:
    """Who sends a window each round trip gets a larger one, up to ``MAX_WINDOW``."""
    ends = Round()
    stream_id = ends.opened()
    assert ends.client.send_budget(stream_id) == START_WINDOW
    for _ in range(40):
        ends.trip(stream_id, MAX_WINDOW)
    free = LINK_MEMORY - MAX_STREAMS * FIRST_WINDOW
    assert free // 4 <= ends.client.send_budget(stream_id) <= MAX_WINDOW
    assert ends.server.granted <= LINK_MEMORY


def test_a_window_that_is_large_enough_stays() -> None:
    """A third of a window a round trip is no reason to widen it."""
    ends = Round()
    stream_id = ends.opened()
    for _ in range(40):
        ends.trip(stream_id, START_WINDOW // 3)
    assert ends.server.granted == START_WINDOW


def test_what_nobody_takes_widens_nothing() -> None:
    """Bytes that wait for the application are no throughput, whatever else goes on."""
    ends = Round()
    stalled, moving = ends.opened(), ends.opened()
    ends.client.send(stalled, bytes(START_WINDOW))
    for _ in range(10):
        ends.trip(moving, MAX_WINDOW)
    assert ends.client.send_budget(stalled) == 0


def test_every_stream_has_its_first_window_and_all_fit_the_memory() -> None:
    """With as many streams as there may be, after one took all that it could, none is without."""
    ends = Round()
    bulk = ends.opened()
    for _ in range(40):
        ends.trip(bulk, MAX_WINDOW)
    ids = [ends.client.open() for _ in range(MAX_STREAMS - 1)]
    ends.there()
    ends.back()
    assert min(map(ends.client.send_budget, ids)) >= FIRST_WINDOW
    assert ends.server.granted <= LINK_MEMORY
    with pytest.raises(SessionClosedError, match=f"{MAX_STREAMS} streams are open"):
        ends.client.open()


def test_the_memory_of_streams_that_are_gone_is_free_again() -> None:
    """Whoever ended a stream, and how, its window counts no more once its bytes were taken."""
    ends = Round()
    one, two, three = (ends.opened() for _ in range(3))
    for stream_id in (one, two, three):
        ends.trip(stream_id, START_WINDOW)
        ends.client.send(stream_id, b"unread")
    ends.client.reset(one)
    ends.client.finish(two)
    ends.there()
    ends.server.reset(three)
    ends.server.finish(two)
    ends.back()
    assert ends.server.granted == 3 * len(b"unread")
    ends.server.consumed(two, len(b"unread"))
    ends.server.forget(one)
    ends.server.forget(three)
    assert (ends.server.granted, ends.client.granted) == (0, 0)
    assert ends.server._windows.free == LINK_MEMORY - MAX_STREAMS * FIRST_WINDOW


def test_bytes_that_wait_on_ended_streams_bound_new_ones() -> None:
    """A peer that ends its streams does not make room for more that nobody reads."""
    client, server = Session(Role.CLIENT), Session(Role.SERVER, max_streams=1)
    stream_id = client.open()
    client.send(stream_id, b"unread")
    client.finish(stream_id)
    server.receive_data(client.data_to_send())
    server.finish(stream_id)
    client.receive_data(server.data_to_send())
    refused = client.open()
    server.receive_data(client.data_to_send())
    client.events_received()
    client.receive_data(server.data_to_send())
    assert client.events_received() == [StreamReset(refused)]


def test_a_plain_peer_is_given_yamux_windows() -> None:
    """Without an agreement a fresh stream has yamux's window, and nothing is announced on top."""
    client, server = Session(Role.CLIENT), Session(Role.SERVER)
    stream_id = client.open()
    assert client.send_budget(stream_id) == YAMUX_WINDOW
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    assert SendWindowOpened(stream_id) not in client.events_received()
    assert server.send_budget(stream_id) == YAMUX_WINDOW


def test_windows_that_cannot_fit_are_refused() -> None:
    """More first windows than the memory holds are a mistake of the caller."""
    with pytest.raises(ValueError, match="3 windows of 10 bytes in 29"):
        Windows(memory=29, first=10, max_streams=3)


def test_idle_streams_leave_room_for_one_that_moves() -> None:
    """Thousands that hold their windows and use them up do not keep a download at its first one."""
    ends = Round()
    ids = [ends.client.open() for _ in range(2000)]
    ends.there()
    ends.back()
    for stream_id in ids:
        ends.client.send(stream_id, bytes(ends.client.send_budget(stream_id)))
    ends.there()
    moving = ends.opened()
    assert ends.client.send_budget(moving) < START_WINDOW
    for _ in range(20):
        ends.trip(moving, MAX_WINDOW)
    assert ends.client.send_budget(moving) >= 4 * START_WINDOW
    assert ends.server.granted <= LINK_MEMORY


async def test_2000_streams_that_nobody_reads_stay_within_the_memory() -> None:
    """Back-pressure on every one of them, a stream that is read goes on, and no byte is lost."""
    ends = Ends()
    for _ in range(2000):
        ends.client.open(Recorder())
    await settle()
    stalled = list(ends.accepted)
    openers = list(ends.client._streams.values())
    for acceptor in stalled:
        acceptor.stream.pause_reading()
    for opener in openers:
        opener.write(bytes(64 * 1024))
    await settle(1000)
    held = sum(sum(map(len, one.stream._inbox)) for one in stalled)
    assert 8 * 1024 * 1024 < held <= ends.server.granted <= LINK_MEMORY
    assert all("pause" in opener.get_protocol().calls for opener in openers[-100:])
    moving, moving_there = await ends.open()
    moving.stream.write(bytes(1024 * 1024))
    await settle(3000)
    assert len(moving_there.data) == 1024 * 1024
    for acceptor in stalled:
        acceptor.stream.resume_reading()
    await settle(3000)
    assert {len(acceptor.data) for acceptor in stalled} == {64 * 1024}
    assert ends.client.unsent.size == 0


async def test_what_waits_to_be_sent_is_bounded_for_the_link() -> None:
    """Streams that write until they are told to pause come to no more than the memory for it."""
    ends = Ends()
    ends.client.pause_writing()
    size = 16 * 1024
    for _ in range(2500):
        opener = Recorder()
        stream = ends.client.open(opener)
        while "pause" not in opener.calls:
            stream.write(bytes(size))
    assert ends.client.unsent.size <= flow.SEND_MEMORY + 2500 * size
    ends.client.resume_writing()
    await settle(3000)
    assert ends.client.unsent.size == 0
