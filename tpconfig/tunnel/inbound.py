"""What arrives at the Pod's ports: a connection here for each of them, joined to its stream."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, assert_never

from tpconfig.errors import TpError
from tpconfig.model.target import PodPort
from tpconfig.mux import serving, udpflow
from tpconfig.mux import splice as splices
from tpconfig.mux.aio import MuxStream
from tpconfig.mux.opening import (
    Control,
    Dns,
    Files,
    Opening,
    Refusal,
    Sftp,
    TcpFrom,
    TcpTo,
    UdpFrom,
    UdpTo,
)
from tpconfig.mux.splice import Splice

Dial = Callable[[PodPort], Awaitable[socket.socket | None]]
"""Gives a connected, non-blocking socket to whoever serves the Pod's port here; None: nobody does.

Of a UDP port: a UDP socket that is connected to it.
"""

Preface = Callable[[TcpFrom], bytes]
"""Gives what goes to who serves a call, in front of the caller's own bytes."""

_NOT_HERE: Final = Refusal("denied", "only the client opens such streams")


class Inbound:
    """Serves the streams that the agent opens; made by ``open_inbound``."""

    def __init__(self, dial: Dial, tasks: asyncio.TaskGroup, preface: Preface) -> None:
        self._dial = dial
        self._preface = preface
        self._tasks = tasks
        self._dialling: set[asyncio.Task[None]] = set()

    def serve(self, opening: Opening, stream: MuxStream) -> asyncio.Protocol:
        """Return the protocol of a stream that the agent opened; see ``open_link``.

        Raises:
            StreamRefusedError: it is none that an agent may open.
        """
        match opening:
            case TcpFrom():
                splice = Splice()
                self._spawn(self._connect(stream, splice, call=opening))
                return splice.a
            case UdpFrom(port):
                new = udpflow.SocketFlow(ended=lambda: None, idle_s=udpflow.idle_s(port))
                self._spawn(self._attach(stream, new, port=PodPort(port, "udp")))
                return new
            case Control() | Dns() | TcpTo() | UdpTo() | Files() | Sftp():
                raise serving.StreamRefusedError(_NOT_HERE)
            case _:
                assert_never(opening)

    def close(self) -> None:
        """Give up what is being connected."""
        for task in self._dialling:
            task.cancel()

    async def _connect(self, stream: MuxStream, splice: Splice, *, call: TcpFrom) -> None:
        sock = await self._dialled(stream, PodPort(call.port))
        if sock is None:
            return
        try:
            if preface := self._preface(call):
                await asyncio.get_running_loop().sock_sendall(sock, preface)
        except OSError:
            sock.close()
            splices.reset(stream)
            return
        if splice.a.lost:
            sock.close()
        elif await serving.join(sock, splice.b):
            pass
        else:
            splices.reset(stream)

    async def _attach(self, stream: MuxStream, new: udpflow.SocketFlow, *, port: PodPort) -> None:
        sock = await self._dialled(stream, port)
        if sock is not None:
            new.attach(sock)

    async def _dialled(self, stream: MuxStream, port: PodPort) -> socket.socket | None:
        """Return the connected socket after saying so, or None after refusing the stream."""
        try:
            sock = await self._dial(port)
        except (OSError, TpError) as error:
            serving.refuse(stream, Refusal("unreachable", str(error)))
            return None
        if sock is None:
            serving.refuse(stream, Refusal("refused", f"nobody listens for port {port} here"))
        elif not stream.is_closing():
            stream.write(serving.OK)
        return sock

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks.create_task(serving.contained(work))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)


@asynccontextmanager
async def open_inbound(
    dial: Dial, *, preface: Preface = lambda call: b""
) -> AsyncIterator[Inbound]:
    """Serve what an agent opens while the block runs; open the link inside the block.

    Args:
        dial: connects to who serves a port.
        preface: says what is told about a call before its bytes.
    """
    async with asyncio.TaskGroup() as tasks:
        inbound = Inbound(dial, tasks, preface)
        try:
            yield inbound
        finally:
            inbound.close()
