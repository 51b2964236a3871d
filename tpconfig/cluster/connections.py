"""The connections to an API server: sockets that notice their end, to where they have to go."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from tpconfig.cluster.http import ResolveResult, aiohttp

Way = Callable[[], Awaitable[tuple[str, int]]]
"""Gives the address to connect to, instead of the server's own."""

_KEEPALIVE: Final = {
    "TCP_KEEPIDLE": 15,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,  # seconds, seconds, probes
    "TCP_USER_TIMEOUT": 30_000,  # milliseconds that sent bytes may stay unacknowledged
}
_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Connector(aiohttp.TCPConnector):
    """aiohttp's; its connections may go elsewhere than the URL says, whose name TLS still checks.

    A resolver could not do that: aiohttp asks none for an address in digits.
    """

    def __init__(self, way: Way | None, *, ssl: Any) -> None:
        super().__init__(limit=0, ssl=ssl, keepalive_timeout=60, socket_factory=_socket)
        self._way = way

    async def _resolve_host(
        self, host: str, port: int, traces: Sequence[Any] | None = None
    ) -> list[ResolveResult]:
        if self._way is None:
            return await super()._resolve_host(host, port, traces)
        there, number = await self._way()
        family = socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host=there, port=number, family=family, proto=0, flags=_NUMERIC
            )
        ]


def keep_alive(sock: socket.socket) -> None:
    """Have a TCP socket give up after half a minute of silence, also in mid-air after a sleep."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE.items():
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    keep_alive(made)
    return made
