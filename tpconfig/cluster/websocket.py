"""WebSocket frames with Kubernetes' channels inside, without I/O (RFC 6455, v4.channel.k8s.io).

A port-forward is a byte pipe: where messages begin and end means nothing to it, only the channel
(the first byte of each message) does. So payload is handed on as it arrives, a half-received frame
too, where a message-based client would collect, queue and wake a task first.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

Buffer = bytes | bytearray | memoryview
Mask = Callable[[bytes, bytearray], None]

OP_CONTINUATION: Final = 0x0
OP_TEXT: Final = 0x1
OP_BINARY: Final = 0x2
OP_CLOSE: Final = 0x8
OP_PING: Final = 0x9
OP_PONG: Final = 0xA

_FIN: Final = 0x80
_MASKED: Final = 0x80
_RESERVED: Final = 0x70
_CONTROL_LIMIT: Final = 125
_PADDED: Final = bytes(16)


class WebSocketError(Exception):
    """The other end does not speak the protocol."""


class Piece(NamedTuple):
    """Some bytes of one channel, or one whole control frame, where ``channel`` is None.

    ``payload`` is a part of what was fed, not a copy where that is a memoryview.
    """

    channel: int | None
    opcode: int
    payload: Buffer


def _mask_with_integers(key: bytes, payload: bytearray) -> None:
    """Mask in place, for an aiohttp that keeps its compiled function elsewhere."""
    size = len(payload)
    keys = int.from_bytes((key * (size // 4 + 1))[:size], "little")
    payload[:] = (int.from_bytes(payload, "little") ^ keys).to_bytes(size, "little")


try:
    from aiohttp._websocket.helpers import websocket_mask as _compiled_mask

    mask: Mask = _compiled_mask
except ImportError:
    mask = _mask_with_integers


def encode(opcode: int, parts: Iterable[Buffer]) -> memoryview:
    """Return one masked frame; what is in ``parts`` is copied once, into the frame itself.

    The header is made as long as the next multiple of four, so that header and payload can be
    masked in place as one, and the header written over the result.
    """
    frame = bytearray().join((_PADDED, *parts))
    size = len(frame) - len(_PADDED)
    key = os.urandom(4)
    if size < 126:
        header = struct.pack("!BB", _FIN | opcode, _MASKED | size)
    elif size < 65536:
        header = struct.pack("!BBH", _FIN | opcode, _MASKED | 126, size)
    else:
        header = struct.pack("!BBQ", _FIN | opcode, _MASKED | 127, size)
    mask(key, frame)
    start = len(_PADDED) - len(header) - len(key)
    frame[start : len(_PADDED)] = header + key
    return memoryview(frame)[start:]


class Decoder:
    """Takes what the server sends and gives pieces of channels and control frames."""

    def __init__(self) -> None:
        self._held = b""  # the beginning of a header, or of a control frame
        self._left = 0  # payload bytes of the current data frame still to come
        self._channel: int | None = None  # of the current message, once its first byte came
        self._final = True  # the current data frame ends its message

    def feed(self, received: Buffer) -> list[Piece]:
        """Take the next bytes.

        Raises:
            WebSocketError: they are no WebSocket frames of a server.
        """
        data: Buffer = self._held + received if self._held else received
        self._held = b""
        pieces: list[Piece] = []
        at, end = 0, len(data)
        while at < end:
            if self._left:
                stop = min(at + self._left, end)
                self._left -= stop - at
                self._take(data, at, stop, pieces)
                at = stop
                continue
            after = self._header(data, at, end, pieces)
            if after < 0:
                self._held = bytes(data[at:])
                break
            at = after
        return pieces

    def _take(self, data: Buffer, at: int, stop: int, pieces: list[Piece]) -> None:
        if self._channel is None:
            self._channel = data[at]
            at += 1
        if at < stop:
            pieces.append(Piece(self._channel, OP_BINARY, data[at:stop]))
        if not self._left and self._final:
            self._channel = None

    def _header(self, data: Buffer, at: int, end: int, pieces: list[Piece]) -> int:
        """Read one frame's header and return where it ends, or -1 if there is too little."""
        if end - at < 2:
            return -1
        first, size = data[at], data[at + 1]
        opcode = first & 0x0F
        if first & _RESERVED or size & _MASKED:
            raise WebSocketError("the server sent a frame with reserved bits or a mask")
        at += 2
        if opcode in (OP_CLOSE, OP_PING, OP_PONG):
            if not first & _FIN:
                raise WebSocketError("the server sent a control frame in fragments")
            return self._control(opcode, size, data, at, end, pieces)
        if opcode not in (OP_CONTINUATION, OP_TEXT, OP_BINARY):
            raise WebSocketError(f"the server sent a frame of the unknown kind {opcode}")
        if size == 126:
            if end - at < 2:
                return -1
            size, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        elif size == 127:
            if end - at < 8:
                return -1
            size, at = int.from_bytes(data[at : at + 8], "big"), at + 8
        self._left = size
        self._final = bool(first & _FIN)
        if not size and self._final:
            self._channel = None
        return at

    @staticmethod
    def _control(
        opcode: int, size: int, data: Buffer, at: int, end: int, pieces: list[Piece]
    ) -> int:
        if size > _CONTROL_LIMIT:
            raise WebSocketError("the server sent a control frame that is too long")
        if end - at < size:
            return -1
        pieces.append(Piece(None, opcode, data[at : at + size]))
        return at + size
