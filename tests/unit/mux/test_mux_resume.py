"""The link's bytes over connections that come and go: dialogues of two real ends, properties."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpconfig.mux.resume import ACK_EVERY, MAX_RECORD, OVERHEAD, Resume, ResumeError, State


class Ends:
    """Two ends of one link, and the connection between them."""

    def __init__(self, *, limit: int = 1 << 20) -> None:
        self.one, self.other = Resume(limit=limit), Resume(limit=limit)
        self.heard = {self.one: b"", self.other: b""}
        self.connect()

    def connect(self) -> None:
        """Shake hands: each end learns what the other has."""
        self.one.detach()
        self.other.detach()
        at = self.one.received, self.other.received
        self.one.attach(at[1])
        self.other.attach(at[0])

    def carry(self, source: Resume, *, cut: int | None = None, limit: int = 1 << 20) -> int:
        """Carry what ``source`` has to send, its first ``cut`` bytes only; return its size."""
        target = self.other if source is self.one else self.one
        wire = source.data_to_send(limit)
        self.heard[target] += b"".join(target.receive_data(wire[:cut]))
        return len(wire)

    def settle(self) -> None:
        """Carry everything both ways."""
        while self.one.wants_to_send or self.other.wants_to_send:
            self.carry(self.one)
            self.carry(self.other)


def test_bytes_arrive_as_they_were_sent() -> None:
    """What one end sends is what the other hears, in any pieces."""
    ends = Ends()
    ends.one.send(b"hello ")
    ends.one.send(b"world")
    ends.carry(ends.one)
    assert ends.heard[ends.other] == b"hello world"
    assert ends.other.received == 11


def test_a_record_that_was_cut_goes_on_at_the_exact_byte() -> None:
    """What had arrived of it is not sent again, and the rest is not lost."""
    ends = Ends()
    ends.one.send(b"0123456789")
    ends.carry(ends.one, cut=9 + 4)
    assert ends.heard[ends.other] == b"0123"
    ends.connect()
    ends.settle()
    assert ends.heard[ends.other] == b"0123456789"


def test_what_is_sent_while_nothing_carries_the_link_waits() -> None:
    """It leaves over the next connection, behind what was lost."""
    ends = Ends()
    ends.one.send(b"lost ")
    ends.one.data_to_send()
    ends.one.detach()
    assert ends.one.data_to_send() == b""
    ends.one.send(b"late")
    ends.connect()
    ends.settle()
    assert ends.heard[ends.other] == b"lost late"


def test_a_ping_acknowledges_and_is_answered() -> None:
    """After a ping each way nothing is kept any more."""
    ends = Ends()
    ends.one.send(b"x" * 100)
    ends.carry(ends.one)
    assert ends.one.held == 100 + OVERHEAD
    ends.one.ping()
    ends.settle()
    assert (ends.one.held, ends.one.answered) == (0, 1)


def test_an_acknowledgement_leaves_by_itself() -> None:
    """A sender that goes on hears of its bytes without asking."""
    ends = Ends()
    ends.one.send(b"x" * (ACK_EVERY - 1))
    ends.carry(ends.one)
    assert not ends.other.wants_to_send
    ends.one.send(b"x")
    ends.settle()
    assert ends.one.held == 0


def test_what_is_kept_is_bounded() -> None:
    """An end that is full says so, until half of it has been acknowledged."""
    ends = Ends(limit=1000)
    for _ in range(10):
        ends.one.send(b"x" * (100 - OVERHEAD))
    assert ends.one.full
    ends.carry(ends.one)
    assert ends.one.full
    assert not ends.one.drained
    ends.other.ping()
    ends.settle()
    assert not ends.one.full
    assert ends.one.drained


def test_the_limit_of_one_write_is_kept() -> None:
    """A write takes as much as it may, control records beside."""
    ends = Ends()
    ends.one.send(b"x" * 1000)
    ends.one.ping()
    assert ends.carry(ends.one, limit=0) == 9
    assert ends.carry(ends.one, limit=300) == 9 + 300
    ends.settle()
    assert ends.heard[ends.other] == b"x" * 1000


def test_goodbye_comes_behind_everything() -> None:
    """The peer hears all bytes, and why; then neither end can be resumed."""
    ends = Ends()
    ends.one.send(b"all of it")
    ends.one.end("enough")
    ends.settle()
    assert ends.heard[ends.other] == b"all of it"
    assert ends.other.farewell == "enough"
    assert ends.one.state is ends.other.state is State.ENDED
    with pytest.raises(ResumeError):
        ends.other.attach(0)


def test_a_goodbye_in_pieces_is_no_data() -> None:
    """Byte by byte its reason is not taken for the mux's."""
    ends = Ends()
    ends.one.end("why, and naïve ☃")
    for byte in ends.one.data_to_send():
        assert ends.other.receive_data(bytes([byte])) == []
    assert ends.other.farewell == "why, and naïve ☃"


@pytest.mark.parametrize("count", [9, 51, 1 << 40])
def test_a_count_that_cannot_be_is_refused(count: int) -> None:
    """A peer that has forgotten what it had, or has what was never sent, is another peer."""
    ends = Ends()
    for _ in range(5):
        ends.one.send(b"x" * 10)
        ends.carry(ends.one)
    ends.one.receive_data(b"\1" + (10).to_bytes(8, "big"))
    ends.one.detach()
    with pytest.raises(ResumeError, match=str(count)):
        ends.one.attach(count)


@pytest.mark.parametrize(
    "wire",
    [
        b"\0" + bytes(8),
        b"\0" + (MAX_RECORD + 1).to_bytes(8, "big"),
        b"\1" + (1).to_bytes(8, "big"),
        b"\2" + b"\xff" * 8,
        b"\4" + (513).to_bytes(8, "big"),
        b"\5" + bytes(8),
    ],
)
def test_a_peer_that_is_none_is_noticed(wire: bytes) -> None:
    """Records that no end of a link sends."""
    end = Resume()
    end.attach(0)
    with pytest.raises(ResumeError):
        end.receive_data(wire)


SIDES = st.sampled_from(["one", "other"])
STEPS = st.one_of(
    st.tuples(st.just("send"), SIDES, st.integers(1, 200)),
    st.tuples(st.just("carry"), SIDES, st.integers(0, 120)),
    st.tuples(st.just("cut"), SIDES, st.integers(0, 60)),
    st.tuples(st.just("ping"), SIDES, st.just(0)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_whatever_is_cut_nothing_is_lost_doubled_or_reordered(
    steps: list[tuple[str, str, int]],
) -> None:
    """Any history of writes, partial deliveries, pings and cuts ends with all bytes whole."""
    ends = Ends(limit=500)
    sent = {ends.one: b"", ends.other: b""}
    for what, side, number in steps:
        end: Resume = getattr(ends, side)
        match what:
            case "send":
                piece = bytes((len(sent[end]) + k) % 251 for k in range(number))
                sent[end] += piece
                end.send(piece)
            case "ping":
                end.ping()
            case "carry":
                ends.carry(end, limit=number)
            case _:
                ends.carry(end, cut=number)
                ends.connect()
    ends.connect()
    ends.settle()
    ends.one.ping()
    ends.other.ping()
    ends.settle()
    assert ends.heard == {ends.other: sent[ends.one], ends.one: sent[ends.other]}
    assert ends.one.held == ends.other.held == 0


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.lists(st.integers(1, 10), max_size=10))
def test_noise_raises_only_resume_error(wire: bytes, cuts: list[int]) -> None:
    """Whatever arrives, however it is cut, nothing else comes out, and it means the same."""
    outcomes = []
    for pieces in (_cut(wire, cuts), [wire]):
        end = Resume()
        end.attach(0)
        found = b""
        try:
            for piece in pieces:
                found += b"".join(end.receive_data(piece))
        except ResumeError:
            outcomes.append(("error", end.farewell))
        else:
            outcomes.append((found, end.farewell))
    assert outcomes[0] == outcomes[1]


def _cut(wire: bytes, cuts: list[int]) -> list[bytes]:
    pieces = []
    for size in cuts:
        pieces.append(wire[:size])
        wire = wire[size:]
    return [*pieces, wire]
