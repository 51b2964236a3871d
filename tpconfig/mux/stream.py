"""One stream's life, as a table: what may follow what, and the two windows that go with it."""

from __future__ import annotations

from enum import Enum
from typing import Final

from tpconfig.mux.frames import MAX_LENGTH, ProtocolError


class State(Enum):
    """Who has said what about a stream; *here* is this end, *there* is the peer."""

    OPENING = "opening"
    OPENING_FINISHED_HERE = "opening, finished here"
    OPEN = "open"
    FINISHED_HERE = "finished here"
    FINISHED_THERE = "finished there"
    CLOSED = "closed"


class Step(Enum):
    """What moves a stream from one state to the next."""

    SEND_FIN = "send FIN"
    SEND_RST = "send RST"
    RECEIVE_ACK = "receive ACK"
    RECEIVE_FIN = "receive FIN"
    RECEIVE_RST = "receive RST"


TRANSITIONS: Final = {
    (State.OPENING, Step.RECEIVE_ACK): State.OPEN,
    (State.OPENING, Step.SEND_FIN): State.OPENING_FINISHED_HERE,
    (State.OPENING, Step.SEND_RST): State.CLOSED,
    (State.OPENING, Step.RECEIVE_RST): State.CLOSED,
    (State.OPENING_FINISHED_HERE, Step.RECEIVE_ACK): State.FINISHED_HERE,
    (State.OPENING_FINISHED_HERE, Step.SEND_RST): State.CLOSED,
    (State.OPENING_FINISHED_HERE, Step.RECEIVE_RST): State.CLOSED,
    (State.OPEN, Step.SEND_FIN): State.FINISHED_HERE,
    (State.OPEN, Step.RECEIVE_FIN): State.FINISHED_THERE,
    (State.OPEN, Step.SEND_RST): State.CLOSED,
    (State.OPEN, Step.RECEIVE_RST): State.CLOSED,
    (State.FINISHED_HERE, Step.RECEIVE_FIN): State.CLOSED,
    (State.FINISHED_HERE, Step.SEND_RST): State.CLOSED,
    (State.FINISHED_HERE, Step.RECEIVE_RST): State.CLOSED,
    (State.FINISHED_THERE, Step.SEND_FIN): State.CLOSED,
    (State.FINISHED_THERE, Step.SEND_RST): State.CLOSED,
    (State.FINISHED_THERE, Step.RECEIVE_RST): State.CLOSED,
}
"""Every legal step; what is missing here is a violation of the protocol, or a bug of the caller."""

SENDING: Final = frozenset({State.OPENING, State.OPEN, State.FINISHED_THERE})
RECEIVING: Final = frozenset({State.OPEN, State.FINISHED_HERE})
UNANSWERED: Final = frozenset({State.OPENING, State.OPENING_FINISHED_HERE})
RECEIVES_LATER: Final = RECEIVING | UNANSWERED


class StreamClosedError(Exception):
    """The caller asked for something that this stream's state does not allow."""


class WindowExhausted(Exception):  # noqa: N818 - the design's word
    """The caller sent more than the peer gave credit for; ask ``send_budget`` first."""


class Stream:
    """State and windows of one stream, as one end sees them; all figures in bytes.

    Attributes:
        send_budget: what may still be sent.
        credit: what the peer may still send.
        owed: what the application took and the peer has not been told of.
        window: what credit, the bytes that wait for the application, and ``owed`` come to.
        sends: whether DATA may be sent.
        receives: whether DATA may arrive.
    """

    __slots__ = (
        "credit", "owed", "receives", "send_budget", "sends", "state", "stream_id", "window",
    )  # fmt: skip

    def __init__(self, stream_id: int, state: State, *, send_budget: int, credit: int) -> None:
        self.stream_id = stream_id
        self.send_budget = send_budget
        self.credit = self.window = credit
        self.owed = 0
        self._enter(state)

    @property
    def unread(self) -> int:
        """Bytes that arrived and that the application has not taken."""
        return self.window - self.credit - self.owed

    def _enter(self, state: State) -> None:
        self.state = state
        self.sends = state in SENDING
        self.receives = state in RECEIVING

    def step_here(self, step: Step) -> None:
        """Take a step of our own.

        Raises:
            StreamClosedError: the state does not allow it.
        """
        after = TRANSITIONS.get((self.state, step))
        if after is None:
            raise StreamClosedError(
                f"stream {self.stream_id} is {self.state.value}: cannot {step.value}"
            )
        self._enter(after)

    def step_there(self, step: Step) -> None:
        """Take a step that the peer made.

        Raises:
            ProtocolError: the state does not allow it.
        """
        after = TRANSITIONS.get((self.state, step))
        if after is None:
            raise ProtocolError(f"stream {self.stream_id} is {self.state.value}: {step.value}")
        self._enter(after)

    def sent(self, size: int) -> None:
        """Account for DATA on its way out.

        Raises:
            StreamClosedError: this end has finished.
            WindowExhausted: more than the peer allows.
        """
        if not self.sends:
            raise StreamClosedError(f"stream {self.stream_id} is {self.state.value}: cannot send")
        if size > self.send_budget:
            raise WindowExhausted(
                f"stream {self.stream_id}: {size} bytes with a budget of {self.send_budget}"
            )
        self.send_budget -= size

    def arrived(self, size: int) -> None:
        """Account for DATA that came in.

        Raises:
            ProtocolError: the peer had finished, was not answered yet, or overran its window.
        """
        if not self.receives:
            raise ProtocolError(f"stream {self.stream_id} is {self.state.value}: received data")
        if size > self.credit:
            raise ProtocolError(f"stream {self.stream_id}: receive window exceeded")
        self.credit -= size

    def widened(self, size: int) -> None:
        """Account for credit that the peer gave.

        Raises:
            ProtocolError: the window would pass what a header can say.
        """
        if self.send_budget + size > MAX_LENGTH:
            raise ProtocolError(f"stream {self.stream_id}: send window overflows")
        self.send_budget += size

    def give_back(self, size: int) -> int:
        """Account for ``size`` bytes that the application took.

        Returns:
            The credit to tell the peer of now; 0 while less than a quarter of the window is owed.

        Raises:
            ValueError: more than what arrived.
        """
        if not 0 <= size <= self.unread:
            raise ValueError(f"stream {self.stream_id}: {size} bytes were not outstanding")
        self.owed += size
        if self.owed * 4 < self.window or self.state not in RECEIVES_LATER:
            return 0
        delta, self.owed = self.owed, 0
        self.credit += delta
        return delta

    def grow(self, size: int) -> None:
        """Give the peer ``size`` more than it ever had."""
        self.window += size
        self.credit += size
