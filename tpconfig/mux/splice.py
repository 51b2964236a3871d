"""Two transports joined back to back: what one receives, the other sends.

Each side's pace is the other's, each side's end is the other's end, and a reset on one side is a
reset on the other, so a process here sees what it would see next to its peer.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Final, cast

HIGH_WATER: Final = 256 * 1024
"""Unsent bytes of a stream above which the socket is not read."""

SOCKET_HIGH_WATER: Final = 0
"""Unsent bytes of a socket above which the stream is not read: what its own buffer in the kernel
does not take waits in the stream, where it counts against the link's memory."""

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""``struct linger``: on, 0 seconds."""


class End(asyncio.Protocol):
    """One of the two protocols of a ``Splice``.

    Attributes:
        received: bytes that came from this end's transport.
        transport: the transport, once it is connected.
    """

    def __init__(self, splice: Splice) -> None:
        self.received = 0
        self.transport: asyncio.Transport | None = None
        self._splice = splice
        self._other = self
        self._held: list[bytes] = []
        self._finished = False
        self._full = False
        self._lost = False

    def join(self, other: End) -> None:
        """Learn where bytes go."""
        self._other = other

    @property
    def lost(self) -> bool:
        """Whether the transport has come and gone."""
        return self._lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start, or wait for the other end."""
        self.transport = cast(asyncio.Transport, transport)
        socket_here = transport.get_extra_info("socket") is not None
        self.transport.set_write_buffer_limits(SOCKET_HIGH_WATER if socket_here else HIGH_WATER)
        if self._other._lost:
            reset(self.transport)
        elif self._other.transport is not None:
            self._other._pass_on()
            self._pass_on()

    def _pass_on(self) -> None:
        """Send what was held while the other end was not connected."""
        target = self._other.transport
        if target is None or self.transport is None:
            return
        held, self._held = self._held, []
        for data in held:
            target.write(data)
        if self._finished:
            self._finish(target)
        elif self._other._full:
            self.transport.pause_reading()
        elif held:
            self.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """Send ``data`` on, or hold it and read no more."""
        self.received += len(data)
        target = self._other.transport
        if target is not None and not self._held:
            target.write(data)
        else:
            self._held.append(data)
            if self.transport is not None:
                self.transport.pause_reading()

    def eof_received(self) -> bool:
        """Send the end on; the way back stays open."""
        if self._finished:
            return True
        self._finished = True
        target = self._other.transport
        if target is not None and not self._held:
            self._finish(target)
        return True

    def _finish(self, target: asyncio.Transport) -> None:
        if self._other._finished and self.transport is not None:
            target.close()
            self.transport.close()
        elif target.can_write_eof() and not target.is_closing():
            target.write_eof()

    def pause_writing(self) -> None:
        """Read nothing more from the other end."""
        self._full = True
        if self._other.transport is not None:
            self._other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read from the other end again, but not past its end: that would be read twice."""
        self._full = False
        source = self._other.transport
        if source is not None and self.transport is not None and not self._other._finished:
            source.resume_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Take the other end down too: reset, unless both had finished in good order."""
        self._lost = True
        self._held.clear()
        other = self._other
        in_order = exc is None and self._finished and other._finished
        if other.transport is not None and not other._lost and not in_order:
            reset(other.transport)
        self._splice.end_lost()


class Splice:
    """A pair of protocols: give ``a`` to one transport and ``b`` to the other, in any order.

    Attributes:
        a: the protocol of one transport.
        b: the protocol of the other.
        on_done: is called once, when both transports are gone; set it before they are connected.
    """

    def __init__(self) -> None:
        self.a = End(self)
        self.b = End(self)
        self.a.join(self.b)
        self.b.join(self.a)
        self.on_done: Callable[[], None] | None = None

    @property
    def done(self) -> bool:
        """Whether both transports have come and gone."""
        return self.a.lost and self.b.lost

    def end_lost(self) -> None:
        """Tell whoever wants to know when both ends are gone."""
        if self.done and self.on_done is not None:
            self.on_done()

    def abort(self) -> None:
        """Reset both ends."""
        for end in (self.a, self.b):
            if end.transport is not None:
                reset(end.transport)


def reset(transport: asyncio.WriteTransport) -> None:
    """Abort ``transport`` so that its peer sees a reset, a TCP peer too."""
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        except OSError:
            pass  # closed already
    transport.abort()
