"""One stream as an asyncio transport: any asyncio protocol, and StreamWriter, works on it."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum
from typing import Any, Final, Protocol, cast

from tpconfig.mux.flow import Outbox, Unsent
from tpconfig.mux.session import Session

HIGH_WATER: Final = 64 * 1024
"""Unsent bytes of one stream above which its protocol is asked to pause."""


class Carrier(Protocol):
    """What a stream needs of its mux."""

    @property
    def unsent(self) -> Unsent:
        """What all streams' unsent bytes come to."""
        ...

    def wants_turn(self, stream: MuxStream) -> None:
        """``stream`` has something to send, if its window allows."""
        ...

    def nudge(self) -> None:
        """The session may have frames to send."""
        ...

    def left(self, stream: MuxStream) -> None:
        """``stream`` takes and gives nothing more."""
        ...


class Phase(Enum):
    """What the transport's user can still expect of it."""

    OPEN = "open"
    CLOSING = "closing"
    LOST = "lost"


class MuxStream(asyncio.Transport):
    """A stream of a ``Mux``; made by it, never by hand.

    ``close()`` sends what is buffered, then FIN; what the peer sends after that is dropped.
    ``abort()`` sends RST. When both ends have finished, the transport closes by itself.
    """

    def __init__(
        self, carrier: Carrier, session: Session, stream_id: int, *, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__({"stream_id": stream_id, "peername": ("mux", stream_id)})
        self.stream_id = stream_id
        self._carrier = carrier
        self._session = session
        self._loop = loop
        self._phase = Phase.OPEN
        self._outbox = Outbox()
        self._inbox: deque[bytes] = deque()
        self._reading_paused = False
        self._writing_paused = False
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._fin_wanted = False
        self._fin_sent = False
        self._fin_received = False
        self._eof_told = False
        self._protocol: asyncio.Protocol = asyncio.Protocol()
        self._buffered: asyncio.BufferedProtocol | None = None

    def __repr__(self) -> str:
        return f"<MuxStream {self.stream_id} {self._phase.value}>"

    # What asyncio's users call.

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the current protocol."""
        return self._protocol if self._buffered is None else self._buffered

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the stream over to ``protocol``; it is told at once when writing is paused."""
        self._buffered = protocol if isinstance(protocol, asyncio.BufferedProtocol) else None
        self._protocol = cast(asyncio.Protocol, protocol)
        if self._writing_paused:
            protocol.pause_writing()

    def is_closing(self) -> bool:
        """Whether the transport is closing or closed."""
        return self._phase is not Phase.OPEN

    def is_reading(self) -> bool:
        """Whether received bytes go to the protocol."""
        return self._phase is Phase.OPEN and not self._reading_paused

    def pause_reading(self) -> None:
        """Keep what arrives; the peer stops after one receive window."""
        self._reading_paused = True

    def resume_reading(self) -> None:
        """Hand on what was kept, from the event loop, and what arrives from now on."""
        if self._reading_paused:
            self._reading_paused = False
            if self._inbox or self._fin_received:
                self._loop.call_soon(self._drain_inbox)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send ``data``; it leaves with everything else of this event-loop tick.

        Raises:
            RuntimeError: after ``write_eof``.
        """
        if not isinstance(data, bytes):
            data = memoryview(data).tobytes()
        if self._fin_wanted and self._phase is Phase.OPEN:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data or self._phase is not Phase.OPEN:
            return
        self._outbox.append(data)
        self._carrier.unsent.size += len(data)
        self._carrier.wants_turn(self)
        self._pause_if_full()

    def can_write_eof(self) -> bool:
        """Return True: a stream has half-close."""
        return True

    def write_eof(self) -> None:
        """Send FIN behind what is buffered; receiving goes on."""
        if self._phase is Phase.OPEN and not self._fin_wanted:
            self._fin_wanted = True
            self._carrier.wants_turn(self)

    def close(self) -> None:
        """Send what is buffered, then FIN; nothing more is received."""
        if self._phase is not Phase.OPEN:
            return
        self._phase = Phase.CLOSING
        self._inbox.clear()
        if self._fin_sent:
            self._end(None)
        else:
            self._fin_wanted = True
            self._carrier.wants_turn(self)

    def abort(self) -> None:
        """Send RST and forget what is buffered."""
        if self._phase is not Phase.LOST:
            self._session.reset(self.stream_id)
            self._carrier.nudge()
            self._end(None)

    def get_write_buffer_size(self) -> int:
        """Return the bytes that are not sent yet."""
        return self._outbox.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high water mark, in bytes."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks at which the protocol is paused and resumed.

        Raises:
            ValueError: ``high`` is below ``low``, or ``low`` below 0.
        """
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low
        self._pause_if_full()

    # What the mux calls.

    def start(self, protocol: asyncio.BaseProtocol) -> None:
        """Give the stream its first protocol."""
        self.set_protocol(protocol)
        self._guarded(protocol.connection_made, self)

    @property
    def backlog(self) -> int:
        """Bytes that wait to be sent."""
        return self._outbox.size

    @property
    def ready(self) -> bool:
        """Whether a turn would send anything."""
        if self._phase is Phase.LOST:
            return False
        if self._outbox.size:
            return self._session.send_budget(self.stream_id) > 0
        return self._fin_wanted and not self._fin_sent

    def take_turn(self, limit: int) -> int:
        """Give the session at most ``limit`` bytes and, behind the last one, FIN."""
        if self._phase is Phase.LOST:
            return 0
        size = 0
        if self._outbox.size:
            limit = min(limit, self._session.send_budget(self.stream_id))
            if limit > 0:
                data = self._outbox.take(limit)
                self._session.send(self.stream_id, data)
                size = len(data)
                self._carrier.unsent.size -= size
        if self._fin_wanted and not self._fin_sent and not self._outbox.size:
            self._session.finish(self.stream_id)
            self._fin_sent = True
            if self._phase is Phase.CLOSING or self._eof_told:
                self._end(None)
        return size

    def resume_if_drained(self) -> None:
        """Ask the protocol for more when the backlog is down to the low mark."""
        if self._writing_paused and self._outbox.size <= self._allowed(self._low):
            self._writing_paused = False
            self._guarded(self._protocol.resume_writing)

    def data_arrived(self, data: bytes) -> None:
        """Hand ``data`` to the protocol, or keep it while reading is paused."""
        if self._phase is not Phase.OPEN:
            return
        if self._reading_paused or self._inbox:
            self._inbox.append(data)
        else:
            self._deliver(data)

    def fin_arrived(self) -> None:
        """Hand the end of the peer's bytes to the protocol, behind the bytes."""
        self._fin_received = True
        self._tell_eof()

    def cut(self, error: ConnectionError) -> None:
        """End the stream because the peer reset it or the pipe is lost."""
        self._end(error)

    # The inside.

    def _deliver(self, data: bytes) -> None:
        if self._buffered is None:
            self._guarded(self._protocol.data_received, data)
        else:
            self._guarded(_fill, self._buffered, data)
        self._session.consumed(self.stream_id, len(data))

    def _drain_inbox(self) -> None:
        while self._inbox and self.is_reading():
            self._deliver(self._inbox.popleft())
        self._tell_eof()
        self._carrier.nudge()

    def _tell_eof(self) -> None:
        if not self._fin_received or self._eof_told or self._inbox or not self.is_reading():
            return
        self._eof_told = True
        keep_open = self._guarded(self.get_protocol().eof_received)  # type: ignore[attr-defined]
        if not keep_open:
            self.close()
        elif self._fin_sent and self._phase is not Phase.LOST:
            self._end(None)

    def _allowed(self, mark: int) -> int:
        return min(mark, self._carrier.unsent.share)

    def _pause_if_full(self) -> None:
        if self._outbox.size > self._allowed(self._high) and not self._writing_paused:
            self._writing_paused = True
            self._guarded(self._protocol.pause_writing)

    def _end(self, error: BaseException | None) -> None:
        if self._phase is Phase.LOST:
            return
        self._phase = Phase.LOST
        self._carrier.unsent.size -= self._outbox.size
        self._outbox.clear()
        self._inbox.clear()
        self._carrier.left(self)
        self._loop.call_soon(self._tell_lost, error)

    def _tell_lost(self, error: BaseException | None) -> None:
        self._guarded(self._protocol.connection_lost, error)

    def _guarded(self, callback: Any, *arguments: object) -> Any:
        """Call the protocol; an exception of its own resets the stream, as in asyncio."""
        try:
            return callback(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._loop.call_exception_handler(
                {
                    "message": "a protocol's callback raised an exception",
                    "exception": error,
                    "transport": self,
                    "protocol": self.get_protocol(),
                }
            )
            self._session.reset(self.stream_id)
            self._carrier.nudge()
            self._end(error)
            return None


def _fill(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Copy ``data`` into the buffers that ``protocol`` offers."""
    rest = memoryview(data)
    while rest:
        buffer = memoryview(cast(bytearray, protocol.get_buffer(len(rest))))
        if not buffer:
            raise RuntimeError("get_buffer() returned an empty buffer")
        size = min(len(buffer), len(rest))
        buffer[:size] = rest[:size]
        protocol.buffer_updated(size)
        rest = rest[size:]
