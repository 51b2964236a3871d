"""What carries a link for a while: an ordered byte pipe, as both ends see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

CLOSE_S: Final = 2.0
"""Seconds that a closed pipe may take to send what is buffered; its reader may be long gone."""


class PipeConnection(Protocol):
    """A fresh pipe; nothing has been read from it before ``start``."""

    def start(
        self,
        received: Callable[[bytes], None],
        lost: Callable[[str], None],
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        """Deliver what arrives from now on, and what has arrived already.

        It may be called again, by whom the pipe is handed to.

        Args:
            received: is given bytes, in order.
            lost: is called once, with the reason, when the pipe ended by anything but ``close``.
            pause: is called when much of what was written is not sent yet.
            resume: is called, after ``pause``, when there is room again.
        """
        ...

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send; buffers without limit, so heed ``pause``. A lost pipe swallows it."""
        ...

    def close(self) -> None:
        """Send what is buffered and close; may be called twice, and before ``start``."""
        ...


class TcpPipe(asyncio.Protocol):
    """A pipe that is one TCP connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._received: Callable[[bytes], None] = self._early.append
        self._lost: Callable[[str], None] | None = None
        self._pause: Callable[[], None] | None = None
        self._resume: Callable[[], None] | None = None
        self._paused = False
        self._closed = False
        self._ended: str | None = None

    def start(
        self,
        received: Callable[[bytes], None],
        lost: Callable[[str], None],
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
    ) -> None:
        """Deliver what arrives; see ``PipeConnection``."""
        self._received, self._lost = received, lost
        self._pause, self._resume = pause, resume
        if self._paused:
            pause()
        early, self._early = self._early, []
        for data in early:
            received(data)
        if self._ended is not None and not self._closed:
            lost(self._ended)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Send what is buffered, for a moment, and close."""
        self._closed = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            self._loop.call_later(CLOSE_S, self._transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        """Hand on."""
        if not self._closed:
            self._received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, unless it closed the pipe itself."""
        self._transport = None
        self._ended = str(exc) if exc else "the connection was closed"
        if self._lost is not None and not self._closed:
            self._lost(self._ended)

    def pause_writing(self) -> None:
        """Hand on."""
        self._paused = True
        if self._pause is not None:
            self._pause()

    def resume_writing(self) -> None:
        """Hand on."""
        self._paused = False
        if self._resume is not None:
            self._resume()
