"""A connection to whoever listens on a localhost, which may be another network's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from tpconfig.local.keeperlink import RefusedError


async def connect_loopback(
    port: int, make: Callable[[socket.AddressFamily], Awaitable[socket.socket]]
) -> socket.socket | None:
    """Connect to a loopback port, IPv4 first; ``None`` where nobody listens.

    ``make`` gives the sockets, and so says whose loopback it is.
    """
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            sock = await make(family)
        except (RefusedError, OSError):
            continue
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        except OSError:
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            if sock.getsockname() != sock.getpeername():
                return sock
            sock.close()  # TCP let it connect to itself: its own port happened to be this one
    return None
