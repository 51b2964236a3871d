"""A UDP flow on a stream: datagrams with their lengths, until nobody has sent any for a while.

What does not fit is dropped, as on any network: nothing is queued but what one stream buffers.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from tpconfig.mux.datagrams import MAX_DATAGRAM, Unpacker, pack

IDLE_S: Final = 120.0
IDLE_DNS_S: Final = 30.0
DNS_PORT: Final = 53
MAX_PER_WAKE: Final = 64
MAX_HELD: Final = 64


def idle_s(port: int) -> float:
    """Return the seconds without a datagram after which a flow to ``port`` is over."""
    return IDLE_DNS_S if port == DNS_PORT else IDLE_S


class Budget:
    """How many flows there may be at once."""

    __slots__ = ("_left",)

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self) -> bool:
        """Take one; False when none is left."""
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """Give one back."""
        self._left += 1


class Flow(asyncio.Protocol):
    """The stream's end of a flow.

    Args:
        deliver: is given each datagram that the peer sends.
        ended: is called once, when the flow is over.
        idle_s: seconds without a datagram after which it is over.
    """

    def __init__(
        self, deliver: Callable[[bytes], None], *, ended: Callable[[], None], idle_s: float
    ) -> None:
        self._deliver = deliver
        self._ended = ended
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._unpacker = Unpacker()
        self._stream: asyncio.Transport | None = None
        self._full = False
        self._touched_s = self._loop.time()
        self._timer = self._loop.call_later(idle_s, self._check_idle)

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the peer, or drop it when there is no room."""
        self._touched_s = self._loop.time()
        if self._stream is not None and not self._full and not self._stream.is_closing():
            self._stream.write(pack(datagram))

    def close(self) -> None:
        """End the flow."""
        if self._stream is not None:
            self._stream.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport

    def data_received(self, data: bytes) -> None:
        """Deliver every datagram that is complete."""
        self._touched_s = self._loop.time()
        for datagram in self._unpacker.feed(data):
            self._deliver(datagram)

    def pause_writing(self) -> None:
        """Drop datagrams from now on."""
        self._full = True

    def resume_writing(self) -> None:
        """Drop no more."""
        self._full = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner."""
        self._stream = None
        self._timer.cancel()
        self._ended()

    def _check_idle(self) -> None:
        left_s = self._touched_s + self._idle_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._check_idle)
        else:
            self.close()


class ConnectedUdp:
    """A connected UDP socket on the event loop; none of its errors is its end.

    Args:
        sock: connected and non-blocking; owned from now on.
        received: is given each datagram.
        failed: is told that a datagram did not arrive: nobody there, no route.
    """

    def __init__(
        self,
        sock: socket.socket,
        received: Callable[[bytes], None],
        *,
        failed: Callable[[OSError], None] = lambda error: None,
    ) -> None:
        self._sock: socket.socket | None = sock
        self._received = received
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)

    def send(self, datagram: bytes) -> None:
        """Send a datagram, or drop it when there is no room."""
        for _ in range(2):
            try:
                if self._sock is not None:
                    self._sock.send(datagram)
            except ConnectionRefusedError:
                continue  # what an earlier datagram met: this one was not sent yet
            except BlockingIOError:
                pass
            except OSError as error:
                self._failed(error)
            return

    def close(self) -> None:
        """Close the socket."""
        sock, self._sock = self._sock, None
        if sock is not None:
            self._loop.remove_reader(sock)
            sock.close()

    def _readable(self) -> None:
        for count in range(MAX_PER_WAKE):
            if self._sock is None:
                return
            try:
                datagram = self._sock.recv(MAX_DATAGRAM)
            except BlockingIOError:
                if count == 0:
                    self._rearm()
                return
            except OSError as error:
                self._rearm()
                self._failed(error)
                return
            self._received(datagram)

    def _rearm(self) -> None:
        """Watch the socket anew: after an error on it, libuv no longer does (uv__poll_io)."""
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._loop.add_reader(self._sock, self._readable)


class SocketFlow(Flow):
    """A flow whose other end is a connected UDP socket, which may come later.

    Args:
        ended: is called once, when the flow is over and the socket is closed.
        idle_s: seconds without a datagram after which it is over.
    """

    def __init__(self, *, ended: Callable[[], None], idle_s: float) -> None:
        super().__init__(self._to_socket, ended=ended, idle_s=idle_s)
        self._udp: ConnectedUdp | None = None
        self._held: list[bytes] = []
        self._lost = False

    def attach(self, sock: socket.socket) -> None:
        """Join the socket, which is non-blocking, and send what was held for it."""
        if self._lost:
            sock.close()
            return
        self._udp = ConnectedUdp(sock, self.send)
        held, self._held = self._held, []
        for datagram in held:
            self._udp.send(datagram)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the socket and tell the owner."""
        self._lost = True
        self._held.clear()
        if self._udp is not None:
            self._udp.close()
        super().connection_lost(exc)

    def _to_socket(self, datagram: bytes) -> None:
        if self._udp is not None:
            self._udp.send(datagram)
        elif len(self._held) < MAX_HELD:
            self._held.append(datagram)
