"""The agent's end of a byte pipe: one TCP connection on the Pod's loopback."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from tpconfig.mux.aio import Mux

CLOSE_S: Final = 2.0
"""Seconds that a closed pipe may take to send what is buffered; its reader may be long gone."""


class LinkPipe(asyncio.Protocol):
    """Read by hand during the handshake, then by a mux.

    Attributes:
        heard_s: the event loop's time at which the last bytes arrived.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._mux: Mux | None = None
        self._early = bytearray()
        self._news = asyncio.Event()
        self._full = False
        self._ended: str | None = None
        self.heard_s = self._loop.time()

    async def read(self) -> bytes:
        """Return what has arrived, at least a byte.

        Raises:
            EOFError: nothing will.
        """
        await self._news.wait()
        if not self._early:
            raise EOFError(self._ended)
        data = bytes(self._early)
        self._early.clear()
        if self._ended is None:
            self._news.clear()
        return data

    def hand_to(self, mux: Mux, leftover: bytes) -> None:
        """Give ``leftover``, what has arrived since, and everything from now on to ``mux``."""
        self._mux = mux
        if self._full:
            mux.pause_writing()
        data = leftover + bytes(self._early)
        self._early.clear()
        if data:
            mux.data_received(data)
        if self._ended is not None:
            mux.pipe_lost(self._ended)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Send what is buffered, for a moment, and close."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
            self._loop.call_later(CLOSE_S, self._transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass

    def data_received(self, data: bytes) -> None:
        """Hand on, or keep for ``read``."""
        self.heard_s = self._loop.time()
        if self._mux is not None:
            self._mux.data_received(data)
        else:
            self._early += data
            self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever reads."""
        self._transport = None
        self._ended = str(exc) if exc else "the connection was closed"
        self._news.set()
        if self._mux is not None:
            self._mux.pipe_lost(self._ended)

    def pause_writing(self) -> None:
        """Hand on."""
        self._full = True
        if self._mux is not None:
            self._mux.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._full = False
        if self._mux is not None:
            self._mux.resume_writing()
