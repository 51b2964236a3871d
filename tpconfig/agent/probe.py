"""The HTTP server for the kubelet's readiness probe, which it holds open until there is news.

The kubelet asks once a second, but a probe that is answered at the moment of the change moves the
traffic within milliseconds. Anybody in the cluster can reach this port: everything is limited.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final, cast

from tpconfig import names
from tpconfig.agent import accepting, binding
from tpconfig.agent.readiness import Readiness

MAX_HEAD: Final = 8 * 1024
"""Bytes of a request's head; more is answered with 431."""

HEAD_TIMEOUT_S: Final = 5.0
"""Seconds in which the head must be there, however many bytes come meanwhile."""

WRITE_TIMEOUT_S: Final = 5.0
"""Seconds in which an answer must have been read."""

MAX_CONNECTIONS: Final = 128
"""Connections at once; the next is reset."""

MAX_CONNECTIONS_PER_PROBER: Final = 16
"""Connections of one address at once; its next is reset."""

_END_OF_HEAD: Final = (b"\r\n\r\n", b"\n\n")


class Probes:
    """The HTTP server for probes, on every address of the Pod.

    Args:
        readiness: the state that is asked for.
        hold_s: how long a probe is held before the state there is is repeated.
        head_s: how long a request's head may take.
    """

    def __init__(
        self,
        readiness: Readiness,
        *,
        hold_s: float = names.PROBE_HOLD_S,
        head_s: float = HEAD_TIMEOUT_S,
    ) -> None:
        self.readiness = readiness
        self.hold_s = hold_s
        self.head_s = head_s
        self._open: dict[ProbeConnection, str] = {}
        self._acceptors: list[accepting.Acceptor] = []

    def listen(self, port: int, tasks: asyncio.TaskGroup) -> None:
        """Start to answer on ``port``.

        Raises:
            OSError: the port cannot be had.
        """
        for sock in binding.bind(port, socket.SOCK_STREAM):
            accept = accepting.joiner(tasks, lambda peer: ProbeConnection(self))
            self._acceptors.append(accepting.Acceptor(sock, accept))

    def close(self) -> None:
        """Stop listening and drop who is connected."""
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in list(self._open):
            connection.drop()

    def admit(self, connection: ProbeConnection, prober: str) -> bool:
        """Return whether there is room for one more connection of ``prober``."""
        theirs = sum(1 for other in self._open.values() if other == prober)
        if len(self._open) >= MAX_CONNECTIONS or theirs >= MAX_CONNECTIONS_PER_PROBER:
            return False
        self._open[connection] = prober
        return True

    def left(self, connection: ProbeConnection) -> None:
        """Forget a connection that is closed."""
        self._open.pop(connection, None)


class ProbeConnection(asyncio.Protocol):
    """One request, one answer, then the end."""

    def __init__(self, probes: Probes) -> None:
        self._probes = probes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._prober = ""
        self._head: bytearray | None = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the request a few seconds, if there is room at all."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self._prober = str((self._transport.get_extra_info("peername") or ("",))[0])
        if self._probes.admit(self, self._prober):
            self._timer = self._loop.call_later(self._probes.head_s, self.drop)
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect the request's head; what follows it is of no interest."""
        if self._head is None or self._transport is None or self._transport.is_closing():
            return
        self._head += data
        if any(end in self._head for end in _END_OF_HEAD):
            head, self._head = bytes(self._head), None
            self._ask(head)
        elif len(self._head) > MAX_HEAD:
            self._head = None
            self._send(431, "Request Header Fields Too Large")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the probe; its asker has not been told anything."""
        self._set_timer(None)
        self._probes.readiness.forget(self._respond)
        self._probes.left(self)
        self._transport = None

    def drop(self) -> None:
        """End the connection without a word."""
        if self._transport is not None:
            self._transport.abort()

    def _ask(self, head: bytes) -> None:
        words = head.splitlines()[0].split() if head.splitlines() else []
        if len(words) != 3 or not words[2].startswith(b"HTTP/1."):
            self._send(400, "Bad Request")
        elif words[1].split(b"?")[0] != names.PROBE_PATH.encode():
            self._send(404, "Not Found")
        elif words[0] not in (b"GET", b"HEAD"):
            self._send(405, "Method Not Allowed")
        else:
            self._set_timer(None)
            if self._probes.readiness.probe(self._prober, self._respond):
                self._timer = self._loop.call_later(
                    self._probes.hold_s, self._probes.readiness.answer, self._respond
                )

    def _respond(self, ready: bool) -> None:
        self._send(*((200, "OK") if ready else (503, "Service Unavailable")))

    def _send(self, status: int, reason: str) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(
            f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        self._transport.close()
        self._set_timer(self._loop.call_later(WRITE_TIMEOUT_S, self.drop))

    def _set_timer(self, timer: asyncio.TimerHandle | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = timer
