"""Turns and outboxes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tpconfig.mux import flow
from tpconfig.mux.flow import Outbox, Turns


class Stub:
    """A sender with a backlog that writes down its turns."""

    def __init__(self, name: str, backlog: int, log: list[tuple[str, int]]) -> None:
        self.name = name
        self.backlog = backlog
        self.log = log

    @property
    def ready(self) -> bool:
        return self.backlog > 0

    def take_turn(self, limit: int) -> int:
        size = min(limit, self.backlog)
        self.backlog -= size
        self.log.append((self.name, size))
        return size


@given(
    st.lists(st.binary(min_size=1, max_size=9000), max_size=12),
    st.lists(st.integers(1, 20000), min_size=1),
)
def test_an_outbox_keeps_order_and_size(chunks: list[bytes], limits: list[int]) -> None:
    """What is taken is what was put in, never more than the limit, and the size is right."""
    outbox = Outbox()
    for chunk in chunks:
        outbox.append(chunk)
    whole = b"".join(chunks)
    taken = b""
    turn = 0
    while outbox.size:
        assert outbox.size == len(whole) - len(taken)
        limit = limits[turn % len(limits)]
        piece = bytes(outbox.take(limit))
        assert 0 < len(piece) <= limit
        taken += piece
        turn += 1
    assert taken == whole


def test_small_chunks_leave_as_one() -> None:
    """Many small writes become one frame."""
    outbox = Outbox()
    for _ in range(10):
        outbox.append(b"abc")
    assert bytes(outbox.take(1000)) == b"abc" * 10


def test_a_whole_chunk_is_not_copied() -> None:
    """A chunk that fits leaves as it is."""
    outbox = Outbox()
    chunk = bytes(10000)
    outbox.append(chunk)
    assert outbox.take(flow.SLICE) is chunk


def test_bulk_takes_turns() -> None:
    """Two downloads alternate by slices."""
    log: list[tuple[str, int]] = []
    turns: Turns[Stub] = Turns()
    for name in "ab":
        turns.add(Stub(name, 10 * flow.SLICE, log))
    turns.take_round()
    assert [name for name, _ in log] == ["a", "b", "a", "b"]


def test_a_request_goes_before_downloads() -> None:
    """A stream with little to say goes first."""
    log: list[tuple[str, int]] = []
    turns: Turns[Stub] = Turns()
    turns.add(Stub("bulk", 10 * flow.SLICE, log))
    turns.add(Stub("request", 100, log))
    turns.take_round()
    assert log[0] == ("request", 100)


def test_requests_do_not_starve_downloads() -> None:
    """However many requests there are, every round carries bulk."""
    log: list[tuple[str, int]] = []
    turns: Turns[Stub] = Turns()
    turns.add(Stub("bulk", 10 * flow.SLICE, log))
    for _ in range(1000):
        turns.add(Stub("request", flow.SMALL, log))
    turns.take_round()
    assert ("bulk", flow.SLICE) in log
    assert turns


def test_a_request_that_grew_goes_on_as_bulk() -> None:
    """A stream that has much by the time of its turn does not jump the queue twice."""
    log: list[tuple[str, int]] = []
    turns: Turns[Stub] = Turns()
    grown = Stub("grown", 10, log)
    turns.add(grown)
    turns.add(Stub("bulk", 10 * flow.SLICE, log))
    grown.backlog = 10 * flow.SLICE
    turns.take_round()
    assert [name for name, _ in log[:3]] == ["grown", "bulk", "grown"]


def test_a_sender_is_queued_once() -> None:
    """Asking twice for a turn gives one."""
    log: list[tuple[str, int]] = []
    turns: Turns[Stub] = Turns()
    sender = Stub("a", 10, log)
    turns.add(sender)
    turns.add(sender)
    assert turns.take_round() == [sender]
    assert log == [("a", 10)]
    assert not turns
