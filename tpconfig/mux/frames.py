"""The wire format: yamux's 12-byte headers, and a reader that never holds a body back.

A body that arrives in pieces is handed on in pieces, as if the sender had cut it there: the opening
flags ride on the first piece and FIN on the last. So nothing is reassembled and nothing is copied
but the slice itself. Source: https://github.com/hashicorp/yamux/blob/master/spec.md
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

VERSION: Final = 0
HEADER: Final = Struct("!BBHII")
HEADER_SIZE: Final = HEADER.size

DATA: Final = 0
WINDOW_UPDATE: Final = 1
PING: Final = 2
GO_AWAY: Final = 3

SYN: Final = 1
ACK: Final = 2
FIN: Final = 4
RST: Final = 8
ALL_FLAGS: Final = SYN | ACK | FIN | RST

GO_AWAY_NORMAL: Final = 0
GO_AWAY_PROTOCOL_ERROR: Final = 1
GO_AWAY_INTERNAL_ERROR: Final = 2

MAX_LENGTH: Final = 0xFFFF_FFFF
"""The largest number in the header's length field, and so the largest send window."""

Piece = tuple[int, int, int, int, bytes]
"""Kind, flags, stream id, length field (of DATA: of this piece), body."""


class ProtocolError(Exception):
    """The peer broke the protocol: nothing more can be understood from this pipe."""


def encode(kind: int, flags: int, stream_id: int, length: int) -> bytes:
    """Return one header; a DATA header's body goes right behind it."""
    return HEADER.pack(VERSION, kind, flags, stream_id, length)


class FrameReader:
    """Cuts a byte stream into pieces of frames, without keeping more than a partial header."""

    __slots__ = ("_flags", "_head", "_left", "_stream_id")

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        self._flags = 0
        self._stream_id = 0

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield what ``data`` completes or continues.

        Raises:
            ProtocolError: a header that yamux does not know.
        """
        position, end = 0, len(data)
        while position < end:
            if self._left:
                stop = min(position + self._left, end)
                body = data[position:stop]
                position = stop
                yield self._cut(body)
                continue
            if self._head or end - position < HEADER_SIZE:
                missing = HEADER_SIZE - len(self._head)
                self._head += data[position : position + missing]
                position += missing
                if len(self._head) < HEADER_SIZE:
                    return
                kind, flags, stream_id, length = _decode(self._head, 0)
                self._head = b""
            else:
                kind, flags, stream_id, length = _decode(data, position)
                position += HEADER_SIZE
            if kind == DATA and length:
                self._flags, self._stream_id, self._left = flags, stream_id, length
            else:
                yield kind, flags, stream_id, length, b""

    def _cut(self, body: bytes) -> Piece:
        flags, length = self._flags, len(body)
        self._left -= length
        if self._left:
            self._flags = flags & FIN
            flags &= ~FIN
        return DATA, flags, self._stream_id, length, body


def _decode(buffer: bytes, offset: int) -> tuple[int, int, int, int]:
    version, kind, flags, stream_id, length = HEADER.unpack_from(buffer, offset)
    if version != VERSION:
        raise ProtocolError(f"frame of version {version}, expected {VERSION}")
    if kind > GO_AWAY:
        raise ProtocolError(f"frame of unknown type {kind}")
    if flags & ~ALL_FLAGS:
        raise ProtocolError(f"frame with unknown flags {flags:#06x}")
    if (kind <= WINDOW_UPDATE) == (stream_id == 0):
        raise ProtocolError(f"frame of type {kind} on stream {stream_id}")
    return kind, flags, stream_id, length
