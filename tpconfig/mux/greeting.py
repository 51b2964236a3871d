"""The handshake on a pipe: ``hello`` on asyncio, for both ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tpconfig.mux.carrying import PipeConnection
from tpconfig.mux.hello import ClientHello, ServerHello


async def greet(
    pipe: PipeConnection,
    hello: ClientHello | ServerHello,
    *,
    asked: Callable[[], None] = lambda: None,
) -> bytes:
    """Carry a handshake to its end and return what came behind it; hand the pipe on at once.

    Args:
        pipe: a pipe that nobody has read from.
        hello: this end of the handshake.
        asked: is called when a server's client waits for its answer.

    Raises:
        HelloError: the other end is not the right one.
        EOFError: the pipe ended.
    """
    inbox = _Inbox()
    pipe.start(inbox.received, inbox.lost, pause=_nothing, resume=_nothing)
    pipe.write(hello.data_to_send())
    while not hello.done:
        data = await inbox.next()
        try:
            hello.receive_data(data)
            if isinstance(hello, ServerHello) and hello.asked:
                asked()
        finally:
            if said := hello.data_to_send():
                pipe.write(said)
    return hello.leftover + inbox.take()


class _Inbox:
    """What has arrived and was not read yet."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._arrived = bytearray()
        self._ended: str | None = None

    def received(self, data: bytes) -> None:
        """Keep it."""
        self._arrived += data
        self._news.set()

    def lost(self, reason: str) -> None:
        """Nothing more will come."""
        self._ended = reason
        self._news.set()

    def take(self) -> bytes:
        """Return what is there, and forget it."""
        data = bytes(self._arrived)
        self._arrived.clear()
        return data

    async def next(self) -> bytes:
        """Return the next bytes.

        Raises:
            EOFError: there will be none.
        """
        await self._news.wait()
        if self._ended is None:
            self._news.clear()
        data = self.take()
        if not data and self._ended is not None:
            raise EOFError(self._ended)
        return data


def _nothing() -> None:
    """A handshake is too small for the pipe to be full."""
