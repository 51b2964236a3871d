"""Two real sessions against each other, and one against noise."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tpconfig.mux import frames
from tpconfig.mux.session import (
    DataReceived,
    ProtocolError,
    Role,
    Session,
    StreamFinished,
    StreamOpened,
    StreamReset,
)
from tpconfig.mux.window import YAMUX_WINDOW

flags = st.integers(0, 15)
stream_ids = st.integers(0, 9)
likely_frames = st.one_of(
    st.builds(
        lambda flags, stream_id, body: frames.encode(0, flags, stream_id, len(body)) + body,
        flags,
        stream_ids,
        st.binary(max_size=20),
    ),
    st.builds(frames.encode, st.integers(0, 3), flags, stream_ids, st.integers(0, 2**32 - 1)),
)


def noise(session: Session, wire: bytes, cut: int) -> None:
    """Feed ``wire`` in two parts; only a ProtocolError may come out."""
    try:
        session.receive_data(wire[:cut])
        session.receive_data(wire[cut:])
    except ProtocolError:
        pass
    session.events_received()
    session.data_to_send()


@given(st.binary(max_size=200), st.integers(0, 200), st.sampled_from(Role))
def test_random_bytes_raise_only_protocol_error(wire: bytes, cut: int, role: Role) -> None:
    """Whatever arrives, nothing but ProtocolError comes out."""
    noise(Session(role), wire, cut)


@given(st.lists(likely_frames, max_size=30), st.integers(0, 300), st.sampled_from(Role))
def test_random_frames_raise_only_protocol_error(wire: list[bytes], cut: int, role: Role) -> None:
    """Frames in any order raise nothing but ProtocolError, with streams of our own too."""
    session = Session(role, max_streams=3)
    session.finish(session.open())
    session.send(session.open(), b"x")
    noise(session, b"".join(wire), cut)


class TwoEnds(RuleBasedStateMachine):
    """Any mix of calls on both ends, the pipes cut anywhere, compared with a plain model."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = (Session(Role.CLIENT), Session(Role.SERVER))
        self.wires = [b"", b""]
        self.known: list[set[int]] = [set(), set()]
        self.finished: list[set[int]] = [set(), set()]
        self.reset: set[int] = set()
        self.sent: dict[tuple[int, int], int] = {}
        self.received: dict[tuple[int, int], int] = {}
        self.unconsumed: dict[tuple[int, int], int] = {}
        self.eof: set[tuple[int, int]] = set()

    def pick(self, data: Any, side: int) -> int | None:
        """A stream that ``side`` may send on."""
        able = sorted(self.known[side] - self.finished[side] - self.reset)
        return data.draw(st.sampled_from(able)) if able else None

    @rule(side=st.integers(0, 1))
    def open(self, side: int) -> None:
        """Open a stream."""
        if len(self.known[side]) < 6:
            self.known[side].add(self.ends[side].open())

    @rule(side=st.integers(0, 1), size=st.integers(0, YAMUX_WINDOW), data=st.data())
    def send(self, side: int, size: int, data: Any) -> None:
        """Send as much as the budget allows of ``size`` bytes."""
        stream_id = self.pick(data, side)
        if stream_id is not None:
            size = min(size, self.ends[side].send_budget(stream_id))
            self.ends[side].send(stream_id, bytes(size))
            self.sent[side, stream_id] = self.sent.get((side, stream_id), 0) + size

    @rule(side=st.integers(0, 1), data=st.data())
    def finish(self, side: int, data: Any) -> None:
        """Finish a stream."""
        stream_id = self.pick(data, side)
        if stream_id is not None:
            self.ends[side].finish(stream_id)
            self.finished[side].add(stream_id)

    @rule(side=st.integers(0, 1), data=st.data())
    def give_up(self, side: int, data: Any) -> None:
        """Reset a stream."""
        stream_id = self.pick(data, side)
        if stream_id is not None:
            self.ends[side].reset(stream_id)
            self.reset.add(stream_id)

    @rule(side=st.integers(0, 1), data=st.data())
    def consume(self, side: int, data: Any) -> None:
        """Take some of what arrived."""
        held = sorted(key for key, size in self.unconsumed.items() if key[0] == side and size)
        if held:
            key = data.draw(st.sampled_from(held))
            size = data.draw(st.integers(1, self.unconsumed[key]))
            self.unconsumed[key] -= size
            self.ends[side].consumed(key[1], size)

    @rule(side=st.integers(0, 1), part=st.floats(0, 1))
    def carry(self, side: int, part: float) -> None:
        """Carry a part of what ``side`` said."""
        self.wires[side] += self.ends[side].data_to_send()
        cut = round(len(self.wires[side]) * part)
        chunk, self.wires[side] = self.wires[side][:cut], self.wires[side][cut:]
        self.arrive(1 - side, chunk)

    def arrive(self, side: int, chunk: bytes) -> None:
        """Feed and check what happened."""
        self.ends[side].receive_data(chunk)
        for event in self.ends[side].events_received():
            match event:
                case StreamOpened(stream_id):
                    self.known[side].add(stream_id)
                case DataReceived(stream_id, data):
                    key = (side, stream_id)
                    assert key not in self.eof
                    self.received[key] = self.received.get(key, 0) + len(data)
                    self.unconsumed[key] = self.unconsumed.get(key, 0) + len(data)
                    assert self.unconsumed[key] <= YAMUX_WINDOW
                case StreamFinished(stream_id):
                    self.eof.add((side, stream_id))
                case StreamReset(stream_id):
                    assert stream_id in self.reset

    @invariant()
    def no_more_than_was_sent(self) -> None:
        """Nothing arrives that was not sent, and FIN comes after everything."""
        for (side, stream_id), size in self.received.items():
            assert size <= self.sent[1 - side, stream_id]
        for side, stream_id in self.eof:
            assert stream_id in self.finished[1 - side]
            sent = self.sent.get((1 - side, stream_id), 0)
            assert self.received.get((side, stream_id), 0) == sent

    def teardown(self) -> None:
        """In the end everything arrives on every stream that nobody reset."""
        for _ in range(3):
            for side in (0, 1):
                self.carry(side, 1.0)
        for (side, stream_id), size in self.sent.items():
            if stream_id not in self.reset:
                assert self.received.get((1 - side, stream_id), 0) == size


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(stateful_step_count=40)
