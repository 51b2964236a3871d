"""UDP conversations of processes here: over a stream to the Pod, or out of this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Protocol

from tpconfig import names
from tpconfig.mux import udpflow

Address = tuple[str, int]


class Conversation(Protocol):
    """One UDP conversation, as whoever started it sees it."""

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the far end, or drop it."""
        ...

    def close(self) -> None:
        """End it; ``closed`` is not called any more."""
        ...


class PodConversation(udpflow.Flow):
    """A conversation over a stream."""

    def __init__(
        self, destination: Address, *, deliver: Callable[[bytes], None], closed: Callable[[], None]
    ) -> None:
        self._closed: Callable[[], None] | None = closed
        super().__init__(deliver, ended=self._tell, idle_s=udpflow.idle_s(destination[1]))

    def close(self) -> None:
        """End it without telling."""
        self._closed = None
        super().close()

    def _tell(self) -> None:
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()


class _Nothing:
    """A conversation that cannot be had."""

    def send(self, datagram: bytes) -> None:
        """Drop it."""

    def close(self) -> None:
        """Nothing is open."""


def machine_conversation(
    destination: Address, *, deliver: Callable[[bytes], None], closed: Callable[[], None]
) -> Conversation:
    """Return a conversation over a UDP socket of this machine."""
    if destination[0] == names.HOST_ADDRESS:
        destination = ("127.0.0.1", destination[1])
    family = socket.AF_INET6 if ":" in destination[0] else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError:
        closed()
        return _Nothing()
    try:
        sock.setblocking(False)
        sock.connect(destination)
    except OSError:
        sock.close()
        closed()
        return _Nothing()
    return udpflow.ConnectedUdp(sock, deliver)
