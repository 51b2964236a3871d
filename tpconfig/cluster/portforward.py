"""A byte pipe to a port of a Pod: one WebSocket through the API server, nothing else needed.

The request goes out on the client's own session (its TLS, credentials, proxy and server name); once
the API server has switched protocols the connection is taken over and speaks WebSocket by itself,
so that a received byte reaches its reader in the same turn of the event loop, and a written one
the socket. See KEP-3157 and k8s.io/kubelet's portforward/websocket.go for the wire.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import struct
from collections.abc import Callable
from typing import Final

from tpconfig.cluster import paths, websocket
from tpconfig.cluster.api import Api
from tpconfig.cluster.http import aiohttp
from tpconfig.cluster.websocket import Buffer
from tpconfig.errors import UnreachableError

PROTOCOL: Final = "v4.channel.k8s.io"

_DATA: Final = 0
_ERROR: Final = 1
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NORMAL: Final = struct.pack("!H", 1000)
_FRAME_LIMIT: Final = 64 * 1024
_BUFFER_SIZE: Final = 256 * 1024
_HIGH_WATER: Final = 256 * 1024
_LOW_WATER: Final = 64 * 1024


async def open_port_forward(api: Api, namespace: str, pod: str, port: int) -> PortForward:
    """Connect to ``port`` on the Pod's loopback; the caller closes what is returned.

    That nothing listens there is known only later: ``lost`` is called with the kubelet's words.

    Raises:
        ApiError: the Pod does not exist or does not run, or the user may not forward ports.
        UnreachableError: the API server cannot be reached, or does not forward ports.
    """
    path = paths.path_of("pod", namespace, pod, "portforward")
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Protocol": PROTOCOL,
    }
    response = await api.upgrade(path, {"ports": str(port)}, headers)
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    if (
        response.headers.get("Sec-WebSocket-Accept") != base64.b64encode(digest).decode()
        or response.headers.get("Sec-WebSocket-Protocol") != PROTOCOL
    ):
        response.close()
        raise UnreachableError(
            f"{api.server} does not forward ports over WebSockets as Kubernetes does",
            hint="a proxy in between may not let WebSockets through",
        )
    return PortForward(response)


class PortForward(asyncio.BufferedProtocol):
    """Bytes to and from one port of a Pod.

    ``start`` says who gets the bytes and who hears, once, that the pipe is lost; until then they
    are kept. What is written goes on in order; the callbacks say when too much of it waits.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = memoryview(bytearray(_BUFFER_SIZE))
        self._decoder = websocket.Decoder()
        self._announced = {_DATA: 2, _ERROR: 2}  # each channel starts with the port, two bytes
        self._complaint = b""
        self._gathered: list[Buffer] = []  # bytes of the port in what is being taken
        self._kept: list[bytes] = []
        self._received: Callable[[bytes], None] = self._kept.append
        self._lost: Callable[[str], None] = _nothing
        self._pause: Callable[[], None] = _nothing
        self._resume: Callable[[], None] = _nothing
        self._paused = False
        self._end: str | None = None  # why it ended; "" where we closed it
        self._turn: list[Buffer] | None = None  # what is written in this turn, after the first
        self._waiting = 0  # bytes in it
        self._response = response
        connection = response.connection
        if connection is None or connection.transport is None or connection.protocol is None:
            response.close()
            raise UnreachableError("the connection broke while the port was being forwarded")
        self._transport, self._former = connection.transport, connection.protocol
        self._take_over()

    def _take_over(self) -> None:
        """Become the connection's protocol; nothing is awaited, so nothing slips through.

        As for aiohttp's own WebSocket, what takes its parser's place is given the bytes that came
        right behind the headers.
        """
        early = _Early()
        self._former.set_parser(early, None)
        self._transport.set_protocol(self)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER, low=_LOW_WATER)
        for data in early.received:
            self._take(data)

    def start(
        self,
        received: Callable[[bytes], None],
        lost: Callable[[str], None],
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        """Deliver what arrives from now on, and what has arrived already.

        Args:
            received: is given bytes, in order.
            lost: is called once, with the reason, when the pipe ended by anything but ``close``.
            pause: is called when much of what was written is not sent yet.
            resume: is called, after ``pause``, when there is room again.
        """
        self._received, self._lost = received, lost
        self._pause, self._resume = pause, resume
        if self._paused:
            pause()
        kept, self._kept = self._kept, []
        for piece in kept:
            received(piece)
        if self._end:
            self._lost(self._end)

    def write(self, data: Buffer) -> None:
        """Send bytes: the first of a turn of the event loop at once, the rest of it together."""
        if self._end is not None or not data:
            return
        if self._turn is None:
            self._turn = []
            self._loop.call_soon(self._end_of_turn)
            self._send(data)
            return
        self._turn.append(data)
        self._waiting += len(data)
        if self._waiting >= _FRAME_LIMIT:  # else the socket could not say that it is too much
            self._flush()

    def close(self) -> None:
        """Close the pipe after what was written; ``lost`` is not called any more."""
        self._lost = _nothing
        if self._end is not None:
            return
        self._end_of_turn()
        self._transport.write(websocket.encode(websocket.OP_CLOSE, (_NORMAL,)))
        self._finish("")

    def get_buffer(self, sizehint: int) -> memoryview:
        """Offer one buffer again and again: TLS would allocate one for every record else."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the API server sent; the buffer is free when this returns."""
        self._take(self._buffer[:nbytes])

    def _take(self, data: Buffer) -> None:
        if self._end is not None:
            return
        try:
            pieces = self._decoder.feed(data)
        except websocket.WebSocketError as error:
            self._finish(str(error))
            return
        for channel, opcode, payload in pieces:
            if channel == _DATA and not self._announced:
                self._gathered.append(payload)
            elif channel is not None:
                self._channel_received(channel, bytes(payload))
            else:
                self._control_received(opcode, bytes(payload))
            if self._end is not None:
                return
        self._hand_on()
        if self._complaint:
            self._finish(self._complaint.decode("utf-8", "replace").strip())

    def eof_received(self) -> None:
        """The API server ended the connection without a word."""
        self._finish("the API server closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone; aiohttp's side of it wants to know as well."""
        self._finish(f"the connection to the API server broke: {exc}" if exc else "it was closed")
        self._former.connection_lost(exc)

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._paused = True
        self._pause()

    def resume_writing(self) -> None:
        """The socket takes more again."""
        self._paused = False
        self._resume()

    def _send(self, data: Buffer) -> None:
        if self._transport.is_closing():
            return
        if len(data) <= _FRAME_LIMIT:
            self._transport.write(websocket.encode(websocket.OP_BINARY, (b"\0", data)))
            return
        view = memoryview(data)
        for at in range(0, len(view), _FRAME_LIMIT):
            part = view[at : at + _FRAME_LIMIT]
            self._transport.write(websocket.encode(websocket.OP_BINARY, (b"\0", part)))

    def _end_of_turn(self) -> None:
        self._flush()
        self._turn = None

    def _flush(self) -> None:
        turn = self._turn
        if turn and self._end is None:
            self._turn, self._waiting = [], 0
            self._send(turn[0] if len(turn) == 1 else b"".join(turn))

    def _hand_on(self) -> None:
        """Give what arrived together to its reader, together: a frame each would cost it more."""
        if self._gathered:
            whole = b"".join(self._gathered)
            self._gathered.clear()
            self._received(whole)

    def _channel_received(self, channel: int, payload: bytes) -> None:
        announced = self._announced.get(channel, 0)
        if announced:
            payload, left = payload[announced:], announced - len(payload)
            self._announced[channel] = max(left, 0)
            if not any(self._announced.values()):
                self._announced = {}
        if not payload:
            return
        if channel == _DATA:
            self._gathered.append(payload)
        elif channel == _ERROR:
            self._complaint += payload

    def _control_received(self, opcode: int, payload: bytes) -> None:
        if opcode == websocket.OP_PING:
            self._transport.write(websocket.encode(websocket.OP_PONG, (payload,)))
        elif opcode == websocket.OP_CLOSE:
            words = payload[2:].decode("utf-8", "replace") or "the Pod closed the connection"
            self._finish(self._complaint.decode("utf-8", "replace").strip() or words)

    def _finish(self, reason: str) -> None:
        if self._end is None:
            self._hand_on()  # its reader may close the pipe on the last bytes
        if self._end is not None:
            return
        self._end = reason
        self._response.close()
        self._transport.close()
        if reason:
            self._lost(reason)


class _Early:
    """Stands in for aiohttp's WebSocket parser, to be given what came behind the headers."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Keep it."""
        self.received.append(data)
        return False, b""

    def feed_eof(self) -> None:
        """The protocol that took over hears of it by itself."""


def _nothing(*_: object) -> None:
    """Stand in for a callback that nobody gave."""
