"""Ports of this machine whose connections leave from the Pod, as a forward or a SOCKS5 proxy."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Final

from tpconfig.errors import TpError
from tpconfig.model.desired import Forward
from tpconfig.mux import serving
from tpconfig.mux.opening import Refusal
from tpconfig.tunnel import socks
from tpconfig.tunnel.conversations import Address
from tpconfig.tunnel.outbound import Outbound, Streams, open_outbound

BACKLOG: Final = 512
EXHAUSTED_PAUSE_S: Final = 0.2
"""Seconds until the next try where this machine has no descriptor left; callers wait meanwhile."""

MAX_CONNECTIONS: Final = 7168
"""Connections of one forward at once; past it, callers wait in the backlog."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NOT_THERE: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


@asynccontextmanager
async def open_forward(
    streams: Streams, forward: Forward, *, on_refused: Callable[[Address, Refusal], None]
) -> AsyncIterator[None]:
    """Listen while the block runs; every connection gets a stream of its own.

    Args:
        streams: where streams are opened; it may be another link each time.
        forward: what listens where, and where it leads.
        on_refused: is told what could not be reached from the Pod, and why.

    Raises:
        TpError: the port cannot be had.
    """
    with ExitStack() as listeners:
        bound = [listeners.enter_context(one) for one in await _bind(forward)]
        async with (
            open_outbound(streams, on_refused=on_refused) as outbound,
            asyncio.TaskGroup() as tasks,
        ):
            accepting = [tasks.create_task(_accept(sock, forward, outbound)) for sock in bound]
            try:
                yield
            finally:
                for task in accepting:
                    task.cancel()


async def _accept(listener: socket.socket, forward: Forward, outbound: Outbound) -> None:
    loop = asyncio.get_running_loop()
    while True:
        if outbound.connections >= MAX_CONNECTIONS:
            await asyncio.sleep(EXHAUSTED_PAUSE_S)
            continue
        try:
            sock, _ = await loop.sock_accept(listener)
        except OSError as error:
            if error.errno in _EXHAUSTED:
                await asyncio.sleep(EXHAUSTED_PAUSE_S)
            continue
        sock.setblocking(False)
        if forward.host is None:
            outbound.spawn(_proxy(sock, outbound))
        else:
            outbound.tcp(sock, (forward.host, forward.port))


async def _proxy(sock: socket.socket, outbound: Outbound) -> None:
    """Serve one SOCKS5 client: learn where to, and say how it went before its bytes flow."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(socks.REQUEST_S):
            destination = await socks.request(sock)
    except (OSError, EOFError, socks.SocksError) as error:
        if isinstance(error, socks.SocksError) and error.answer:
            await _say(sock, error.answer)
        sock.close()
        return
    except BaseException:
        serving.drop(sock)
        raise
    refusal = await outbound.tcp_answered(
        sock, destination, accepted=lambda: loop.sock_sendall(sock, socks.reply(None))
    )
    if refusal is not None:
        await _say(sock, socks.reply(refusal.code))
        sock.close()


async def _say(sock: socket.socket, answer: bytes) -> None:
    try:
        await asyncio.get_running_loop().sock_sendall(sock, answer)
    except OSError:
        pass  # it has left


async def _bind(forward: Forward) -> list[socket.socket]:
    """Return listening sockets on every address that ``bind`` means.

    Raises:
        TpError: the port cannot be had.
    """
    host = None if forward.bind == "*" else forward.bind
    loop = asyncio.get_running_loop()
    bound: list[socket.socket] = []
    try:
        found = await loop.getaddrinfo(
            host, forward.local, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, proto, _, address in dict.fromkeys(found):
            try:
                bound.append(_listener(family, kind, proto, address))
            except OSError as error:
                if host is not None or error.errno not in _NOT_THERE:
                    raise
    except OSError as error:
        for sock in bound:
            sock.close()
        raise TpError(
            f"forward {forward}: {error.strerror or error}",
            hint="take another local port, or an address of this machine",
            source=forward.source,
        ) from error
    return bound


def _listener(family: int, kind: int, proto: int, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
