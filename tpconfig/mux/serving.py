"""The first line of a stream, asked or answered, and the hand-over to what the stream is for."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

from tpconfig.mux.aio import MuxStream
from tpconfig.mux.opening import (
    Accepted,
    LineReader,
    Opening,
    OpeningError,
    Refusal,
    decode,
    decode_answer,
    encode_answer,
)

OK: Final = encode_answer(Accepted())

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class StreamRefusedError(Exception):
    """Whoever opened the stream does not get what it asks for."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


def refuse(stream: asyncio.Transport, refusal: Refusal) -> None:
    """Say why not, and end the stream."""
    if not stream.is_closing():
        stream.write(encode_answer(refusal))
        stream.close()


async def contained(work: Awaitable[None]) -> None:
    """Await what belongs to one stream: a bug in it is reported and must not end all the others."""
    try:
        await work
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a stream's task failed", "exception": error}
        )


async def join(sock: socket.socket, protocol: asyncio.BaseProtocol) -> bool:
    """Give a connected socket a transport; a peer that left meanwhile is no error.

    Returns:
        Whether the protocol got its transport; if not, the socket is closed.
    """
    try:
        if sock.family != socket.AF_UNIX:
            # asyncio does this only where the socket's protocol is spelled out.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, sock)
    except OSError:
        sock.close()
        return False
    return True


def drop(sock: socket.socket) -> None:
    """Close a connection so that its peer sees a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.close()


class OpeningReader(asyncio.Protocol):
    """The first protocol of a stream that the peer opened.

    Args:
        serve: is given what the stream is for, and returns the protocol that takes over; raises
            ``StreamRefusedError`` when it will not have it.
    """

    def __init__(self, serve: Callable[[Opening, MuxStream], asyncio.Protocol]) -> None:
        self._serve = serve
        self._reader = LineReader()
        self._stream: MuxStream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the stream."""
        assert isinstance(transport, MuxStream)
        self._stream = transport

    def data_received(self, data: bytes) -> None:
        """Collect the first line; then hand over, with what came behind it."""
        stream = self._stream
        if stream is None or stream.is_closing():
            return
        try:
            line = self._reader.feed(data)
            if line is None:
                return
            protocol = self._serve(decode(line), stream)
        except OpeningError as error:
            refuse(stream, Refusal("unknown", str(error)))
        except StreamRefusedError as refused:
            refuse(stream, refused.refusal)
        else:
            stream.set_protocol(protocol)
            protocol.connection_made(stream)
            if self._reader.leftover:
                protocol.data_received(self._reader.leftover)


class AnswerReader(asyncio.Protocol):
    """The first protocol of a stream that was opened here: waits for the answer to the opening.

    ``protocol`` may write at once. When the stream is refused it sees the connection lost with a
    ``ConnectionRefusedError``; it never sees the answer itself.

    Args:
        protocol: what takes over; it is told of the connection before the answer is there.
        refused: is told why the peer will not have the stream.
        accepted: is called when the peer has it.
    """

    def __init__(
        self,
        protocol: asyncio.Protocol,
        refused: Callable[[Refusal], None],
        *,
        accepted: Callable[[], None] = lambda: None,
    ) -> None:
        self._protocol = protocol
        self._refused = refused
        self._accepted = accepted
        self._reader = LineReader()
        self._stream: MuxStream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand on."""
        assert isinstance(transport, MuxStream)
        self._stream = transport
        self._protocol.connection_made(transport)

    def pause_writing(self) -> None:
        """Hand on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._protocol.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Collect the answer; then hand over, with what came behind it."""
        stream = self._stream
        if stream is None:
            return
        try:
            line = self._reader.feed(data)
            answer = None if line is None else decode_answer(line)
        except OpeningError as error:
            answer = Refusal("unknown", str(error))
        match answer:
            case Accepted():
                self._accepted()
                stream.set_protocol(self._protocol)
                if self._reader.leftover:
                    self._protocol.data_received(self._reader.leftover)
            case Refusal():
                self._refuse(answer)
            case None:
                pass

    def eof_received(self) -> bool:
        """Take the end in place of an answer as a refusal."""
        self._refuse(Refusal("unknown", "the peer ended the stream without an answer"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on, unless it was refused."""
        if self._stream is not None:
            self._stream = None
            self._protocol.connection_lost(exc or ConnectionResetError("the stream was closed"))

    def _refuse(self, refusal: Refusal) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._refused(refusal)
            stream.abort()
            self._protocol.connection_lost(ConnectionRefusedError(refusal.text))
