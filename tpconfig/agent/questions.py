"""The stream of DNS questions: each is answered when its answer is there, in any order."""

from __future__ import annotations

import asyncio
from typing import Final

from tpconfig.agent import resolve
from tpconfig.mux import serving
from tpconfig.mux.datagrams import Unpacker, pack

MAX_IN_FLIGHT: Final = 256


class DnsStream(asyncio.Protocol):
    """Questions in, answers out, each with the id that the peer gave it.

    Args:
        forwarder: who is asked.
        tasks: where questions wait.
    """

    def __init__(self, forwarder: resolve.Forwarder, tasks: asyncio.TaskGroup) -> None:
        self._forwarder = forwarder
        self._tasks = tasks
        self._unpacker = Unpacker()
        self._stream: asyncio.Transport | None = None
        self._in_flight = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport

    def data_received(self, data: bytes) -> None:
        """Ask every question that is complete."""
        for query in self._unpacker.feed(data):
            if self._in_flight < MAX_IN_FLIGHT:
                self._in_flight += 1
                self._tasks.create_task(serving.contained(self._ask(query)))
            else:
                self._answer(resolve.failure(query))

    def connection_lost(self, exc: Exception | None) -> None:
        """Answer nothing any more."""
        self._stream = None

    async def _ask(self, query: bytes) -> None:
        try:
            self._answer(await self._forwarder.ask(query))
        finally:
            self._in_flight -= 1

    def _answer(self, answer: bytes) -> None:
        if answer and self._stream is not None and not self._stream.is_closing():
            self._stream.write(pack(answer))
