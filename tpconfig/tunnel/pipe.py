"""What a link runs over: an ordered byte pipe to the agent that can be made again when lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from tpconfig.mux.carrying import PipeConnection as PipeConnection
from tpconfig.mux.carrying import TcpPipe as TcpPipe

Connect = Callable[[], Awaitable[PipeConnection]]
"""Gives a fresh pipe; raises ``OSError`` or ``TpError`` when there is none to be had."""


def tcp(host: str, port: int) -> Connect:
    """Return what connects to an agent that can be reached directly."""

    async def connect() -> PipeConnection:
        loop = asyncio.get_running_loop()
        transport, pipe = await loop.create_connection(TcpPipe, host, port)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return pipe

    return connect
