"""Sockets on every address of the Pod, whichever of IPv4 and IPv6 it has."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Final

EVERYWHERE: Final = ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))
LOOPBACK: Final = ((socket.AF_INET, "127.0.0.1"),)
BACKLOG: Final = 1024

_FAMILY_MISSING: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


def bind(
    port: int,
    kind: socket.SocketKind,
    *,
    where: Iterable[tuple[socket.AddressFamily, str]] = EVERYWHERE,
) -> list[socket.socket]:
    """Return non-blocking sockets that are bound to ``port``; TCP ones listen.

    An address family that the Pod does not have is left out.

    Raises:
        OSError: the port is taken (``EADDRINUSE``) or may not be used, or no family is there.
    """
    bound: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, host in where:
            try:
                bound.append(_bind_one(family, host, port=port, kind=kind))
            except OSError as error:
                if error.errno not in _FAMILY_MISSING:
                    raise
                missing = error
    except OSError:
        close(bound)
        raise
    if not bound:
        assert missing is not None
        raise missing
    return bound


def close(sockets: Iterable[socket.socket]) -> None:
    """Close them all."""
    for one in sockets:
        one.close()


def _bind_one(
    family: socket.AddressFamily, host: str, *, port: int, kind: socket.SocketKind
) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
