"""Ports of the Pod that the peer asked for: what arrives there goes to it, on streams."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final, Protocol

from tpconfig.agent import accepting, binding
from tpconfig.agent.accepting import Peer
from tpconfig.agent.control import RefusedError
from tpconfig.mux import udpflow
from tpconfig.mux.datagrams import MAX_DATAGRAM

_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})


class OpenPort(Protocol):
    """A port that is open until it is closed."""

    def close(self) -> None:
        """Close it; the number is free when this returns."""
        ...


def bind(port: int, kind: socket.SocketKind) -> list[socket.socket]:
    """Return sockets that are bound to ``port`` on every address of the Pod.

    Raises:
        RefusedError: the port cannot be had, and why.
    """
    try:
        return binding.bind(port, kind)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"port {port} is in use by another container of the Pod"
            raise RefusedError("in-use", text) from error
        if error.errno in _DENIED:
            text = f"the Pod may not open port {port}: {error.strerror}"
            raise RefusedError("denied", text) from error
        raise RefusedError("refused", f"port {port}: {error.strerror or error}") from error


class TcpPort:
    """A TCP port; each connection is handed on.

    Args:
        port: the Pod's port.
        arrived: is given each connected socket, and who it is.

    Raises:
        RefusedError: the port cannot be had.
    """

    def __init__(self, port: int, arrived: accepting.Accepted) -> None:
        self._acceptors = [
            accepting.Acceptor(sock, arrived) for sock in bind(port, socket.SOCK_STREAM)
        ]

    def close(self) -> None:
        """Stop listening; connections that exist go on."""
        for acceptor in self._acceptors:
            acceptor.close()


class UdpPort:
    """A UDP port; each peer that sends something is a flow of its own.

    Args:
        port: the Pod's port.
        begin: opens the stream of a new flow.
        budget: how many flows there may be; past it, what arrives is dropped.

    Raises:
        RefusedError: the port cannot be had.
    """

    def __init__(
        self, port: int, begin: Callable[[Peer, udpflow.Flow], None], *, budget: udpflow.Budget
    ) -> None:
        self._begin = begin
        self._budget = budget
        self._idle_s = udpflow.idle_s(port)
        self._loop = asyncio.get_running_loop()
        self._flows: dict[object, udpflow.Flow] = {}
        self._sockets = bind(port, socket.SOCK_DGRAM)
        for sock in self._sockets:
            self._loop.add_reader(sock, self._readable, sock)

    def close(self) -> None:
        """Close the port and end its flows."""
        for sock in self._sockets:
            self._loop.remove_reader(sock)
            sock.close()
        for one in list(self._flows.values()):
            one.close()

    def _readable(self, sock: socket.socket) -> None:
        for _ in range(udpflow.MAX_PER_WAKE):
            try:
                datagram, address = sock.recvfrom(MAX_DATAGRAM)
            except OSError:
                return
            known = self._flows.get(address) or self._new(sock, address)
            if known is not None:
                known.send(datagram)

    def _new(self, sock: socket.socket, address: tuple[str, int]) -> udpflow.Flow | None:
        def deliver(datagram: bytes) -> None:
            try:
                sock.sendto(datagram, address)
            except OSError:
                pass  # no room, no route, or the port is closed by now

        def ended() -> None:
            self._flows.pop(address, None)
            self._budget.give_back()

        if not self._budget.take():
            return None
        new = udpflow.Flow(deliver, ended=ended, idle_s=self._idle_s)
        self._flows[address] = new
        try:
            self._begin(accepting.peer_of(address), new)
        except ConnectionResetError as error:
            new.connection_lost(error)
            return None
        return new
