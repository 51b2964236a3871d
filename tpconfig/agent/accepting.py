"""Accepting connections so that closing a listener frees its port before the call returns.

``asyncio``'s own servers close at some later moment (with uvloop), or not at all while connections
last (Python 3.12); a port that is asked for again at once must be free at once.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, Final

from tpconfig.mux import serving

MAX_PER_WAKE: Final = 64
EXHAUSTED_PAUSE_S: Final = 0.2

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_GONE: Final = frozenset({errno.EBADF, errno.EINVAL})

Peer = tuple[str, int]
"""Address and port of who connected."""

Accepted = Callable[[socket.socket, Peer], None]


class Acceptor:
    """Owns a listening socket and hands on each connection, non-blocking."""

    def __init__(self, listener: socket.socket, accepted: Accepted) -> None:
        self._listener = listener
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Stop listening; the port is free when this returns."""
        if self._listener.fileno() >= 0:
            if self._pause is None:
                self._loop.remove_reader(self._listener)
            else:
                self._pause.cancel()
            self._listener.close()

    def _accept(self) -> None:
        for _ in range(MAX_PER_WAKE):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest()
                    return
                if error.errno in _GONE:
                    raise
                continue
            sock.setblocking(False)
            self._accepted(sock, peer_of(address))
            if self._listener.fileno() < 0:
                return

    def _rest(self) -> None:
        """Leave callers in the backlog until something has been closed."""
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(EXHAUSTED_PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)


def peer_of(address: Any) -> Peer:
    """Return address and port of a socket's peer, without an IPv6 scope."""
    return str(address[0]).partition("%")[0], int(address[1])


def joiner(
    tasks: asyncio.TaskGroup, protocol_for: Callable[[Peer], asyncio.BaseProtocol]
) -> Accepted:
    """Return what gives each accepted socket a transport, in a task of ``tasks``."""

    def accepted(sock: socket.socket, peer: Peer) -> None:
        tasks.create_task(serving.join(sock, protocol_for(peer)))

    return accepted
