"""Two real ends in one event loop, and protocols that write down what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tpconfig.mux.aio import Mux, MuxStream, Role


class Recorder(asyncio.Protocol):
    """Keeps every call, in order; ``data`` is what arrived."""

    def __init__(self, *, keep_open: bool = True) -> None:
        self.calls: list[str] = []
        self.data = b""
        self.error: BaseException | None = None
        self.keep_open = keep_open
        self.stream: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.stream = transport
        self.calls.append("made")

    def data_received(self, data: bytes) -> None:
        if not self.calls or self.calls[-1] != "data":
            self.calls.append("data")
        self.data += data

    def eof_received(self) -> bool:
        self.calls.append("eof")
        return self.keep_open

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.calls.append("lost")
        self.error = exc


class FakePipe:
    """Hands what is written to the other end in the next tick; keeps it while ``stopped``."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False
        self.stopped = False
        self.receive: Callable[[bytes], None] = lambda data: None
        self._waiting: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        self._waiting.append(bytes(data))
        asyncio.get_running_loop().call_soon(self.deliver)

    def deliver(self) -> None:
        while self._waiting and not self.stopped:
            self.receive(self._waiting.pop(0))

    def close(self) -> None:
        self.closed = True


class Ends:
    """A client's and a server's mux on two fake pipes; the server's streams are recorded."""

    def __init__(self, *, max_streams: int = 8192) -> None:
        self.accepted: list[Recorder] = []
        self.lost: list[str] = []
        self.make: Callable[[MuxStream], asyncio.BaseProtocol] = lambda stream: Recorder()
        self.client_pipe = FakePipe()
        self.server_pipe = FakePipe()
        self.client = Mux(
            Role.CLIENT,
            self.client_pipe,
            accept=self._accept,
            lost=lambda reason: self.lost.append(f"client: {reason}"),
        )
        self.server = Mux(
            Role.SERVER,
            self.server_pipe,
            accept=self._accept,
            lost=lambda reason: self.lost.append(f"server: {reason}"),
            max_streams=max_streams,
        )
        self.client_pipe.receive = self.server.data_received
        self.server_pipe.receive = self.client.data_received

    def _accept(self, stream: MuxStream) -> asyncio.BaseProtocol:
        protocol = self.make(stream)
        if isinstance(protocol, Recorder):
            self.accepted.append(protocol)
        return protocol

    async def open(self, opening: bytes = b"") -> tuple[Recorder, Recorder]:
        """Open a stream and return its protocols, the opener's first."""
        opener = Recorder()
        self.client.open(opener, opening=opening)
        await settle()
        return opener, self.accepted[-1]


async def settle(ticks: int = 200) -> None:
    """Let everything that is scheduled run."""
    for _ in range(ticks):
        await asyncio.sleep(0)
