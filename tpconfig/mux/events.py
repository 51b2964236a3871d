"""What a session tells its owner: everything that the peer can do to a stream or the pipe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer opened a stream."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class DataReceived:
    """Bytes arrived; give them back with ``consumed`` when they are dealt with."""

    stream_id: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamFinished:
    """The peer will send nothing more on this stream."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The peer gave the stream up; it is gone."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class SendWindowOpened:
    """The peer gave credit."""

    stream_id: int


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to the ping that returned this value."""

    value: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The peer takes no new streams; ``code`` says why (``frames.GO_AWAY_*``)."""

    code: int


Event = (
    DataReceived | SendWindowOpened | StreamOpened | StreamFinished | StreamReset | Pong | GoneAway
)
