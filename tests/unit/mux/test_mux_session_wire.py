"""One session and hand-written frames: what a peer must not do, and what it may."""

from __future__ import annotations

import pytest

from tpconfig.mux import frames
from tpconfig.mux.frames import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE
from tpconfig.mux.session import (
    DataReceived,
    ProtocolError,
    Role,
    Session,
    SessionClosedError,
    StreamFinished,
    StreamOpened,
    StreamReset,
)
from tpconfig.mux.window import YAMUX_WINDOW


def frame(kind: int, flags: int, stream_id: int, rest: bytes | int = 0) -> bytes:
    """One frame as its bytes."""
    if isinstance(rest, bytes):
        return frames.encode(kind, flags, stream_id, len(rest)) + rest
    return frames.encode(kind, flags, stream_id, rest)


OPENED = frame(WINDOW_UPDATE, SYN, 1)

VIOLATIONS = {
    "opened twice": OPENED + OPENED,
    "older id": frame(WINDOW_UPDATE, SYN, 3) + OPENED,
    "our parity": frame(WINDOW_UPDATE, SYN, 2),
    "ours, never opened": frame(DATA, 0, 2, b"x"),
    "never opened": frame(DATA, 0, 1, b"x"),
    "data after FIN": OPENED + frame(DATA, FIN, 1, b"x") + frame(DATA, 0, 1, b"x"),
    "two FIN": OPENED + frame(DATA, FIN, 1) + frame(DATA, FIN, 1),
    "unasked ACK": OPENED + frame(WINDOW_UPDATE, ACK, 1),
    "window overrun": OPENED + frame(DATA, 0, 1, bytes(YAMUX_WINDOW + 1)),
    "credit overflow": OPENED + frame(WINDOW_UPDATE, 0, 1, frames.MAX_LENGTH),
    "ping without flag": frame(PING, 0, 0, 1),
    "ping with FIN": frame(PING, FIN | SYN, 0, 1),
    "unknown version": b"GET / HTTP/1.1\r\n",
}


@pytest.mark.parametrize("wire", VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_violation_ends_the_session(wire: bytes) -> None:
    """A violation raises, is told to the peer, and nothing is taken afterwards."""
    server = Session(Role.SERVER)
    with pytest.raises(ProtocolError):
        server.receive_data(wire)
    assert server.data_to_send().endswith(frame(GO_AWAY, 0, 0, frames.GO_AWAY_PROTOCOL_ERROR))
    assert server.stream_count == 0
    with pytest.raises(ProtocolError):
        server.receive_data(b"")
    with pytest.raises(SessionClosedError):
        server.open()


@pytest.mark.parametrize("ended", [False, True])
def test_data_is_an_answer_too(ended: bool) -> None:
    """hashicorp/yamux never says ACK on a stream that was finished before it was accepted."""
    client = Session(Role.CLIENT)
    stream_id = client.open()
    if ended:
        client.finish(stream_id)
    client.receive_data(frame(DATA, 0, stream_id, b"answer"))
    client.receive_data(frame(WINDOW_UPDATE, FIN, stream_id))
    assert client.events_received() == [DataReceived(1, b"answer"), StreamFinished(1)]
    assert client.is_open(stream_id) is not ended


def test_a_refusal_needs_no_ack() -> None:
    """RST may be the only answer."""
    client = Session(Role.CLIENT)
    client.open()
    client.receive_data(frame(WINDOW_UPDATE, RST, 1))
    assert client.events_received() == [StreamReset(1)]


def test_flags_may_ride_on_data() -> None:
    """A yamux peer may open, send and finish in one frame."""
    server = Session(Role.SERVER)
    server.receive_data(frame(DATA, SYN | FIN, 1, b"all"))
    assert server.events_received() == [
        StreamOpened(1),
        DataReceived(1, b"all"),
        StreamFinished(1),
    ]


def test_fin_with_rst_ends_both_ways() -> None:
    """FIN and RST in one frame finish and reset."""
    server = Session(Role.SERVER)
    server.receive_data(OPENED + frame(DATA, FIN | RST, 1))
    assert server.events_received()[1:] == [StreamFinished(1), StreamReset(1)]
    assert server.stream_count == 0


def test_ids_are_not_reused() -> None:
    """When the ids are used up the session opens nothing more."""
    client = Session(Role.CLIENT)
    client._next_id = frames.MAX_LENGTH
    assert client.open() == frames.MAX_LENGTH
    with pytest.raises(SessionClosedError):
        client.open()
