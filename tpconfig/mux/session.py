"""The multiplexer without I/O: bytes and calls go in, events and bytes come out.

session = Session(Role.CLIENT)
stream_id = session.open()
session.send(stream_id, b"...")          # at most send_budget(stream_id)
transport.write(session.data_to_send())
session.receive_data(chunk)
for event in session.events_received(): ...
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from tpconfig.mux import frames
from tpconfig.mux.events import DataReceived as DataReceived
from tpconfig.mux.events import Event as Event
from tpconfig.mux.events import GoneAway as GoneAway
from tpconfig.mux.events import Pong as Pong
from tpconfig.mux.events import SendWindowOpened as SendWindowOpened
from tpconfig.mux.events import StreamFinished as StreamFinished
from tpconfig.mux.events import StreamOpened as StreamOpened
from tpconfig.mux.events import StreamReset as StreamReset
from tpconfig.mux.frames import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE
from tpconfig.mux.frames import ProtocolError as ProtocolError
from tpconfig.mux.stream import RECEIVES_LATER, UNANSWERED, State, Step, Stream
from tpconfig.mux.stream import StreamClosedError as StreamClosedError
from tpconfig.mux.stream import WindowExhausted as WindowExhausted
from tpconfig.mux.window import LINK_MEMORY, YAMUX_STREAMS, YAMUX_WINDOW, Windows

MAX_STREAMS: Final = 8192
"""Streams of a link open at once; past it a new one of the peer's is reset, one of ours fails."""

ROUND_PING: Final = 0
"""The value of the pings that measure a round trip; those that are asked for count from 1."""


class Role(Enum):
    """Which end this is; it decides who uses odd and who even stream ids."""

    CLIENT = "client"
    SERVER = "server"


class SessionClosedError(Exception):
    """No new stream on this session: too many are open, GO_AWAY was said, the ids are used up."""


class Session:
    """One end of a multiplexed pipe.

    Args:
        role: client or server.
        memory: bytes that the peer may make this end hold, over all streams.
        first_window: bytes that both ends take for granted on a fresh stream; yamux's, unless
            the peer is known to have another one.
        max_streams: how many streams may be open before the peer's new ones are reset.
    """

    def __init__(
        self,
        role: Role,
        *,
        memory: int = LINK_MEMORY,
        first_window: int = YAMUX_WINDOW,
        max_streams: int = YAMUX_STREAMS,
    ) -> None:
        self._windows = Windows(memory=memory, first=first_window, max_streams=max_streams)
        self._max_streams = max_streams
        self._reader = frames.FrameReader()
        self._streams: dict[int, Stream] = {}
        self._unread: dict[int, Stream] = {}  # closed, with bytes that wait for the application
        self._round: dict[int, int] | None = None  # bytes taken of each stream since the ping
        self._out: list[bytes | memoryview] = []
        self._events: list[Event] = []
        self._next_id = 1 if role is Role.CLIENT else 2
        self._highest_there = 0
        self._next_ping = 1
        self._failed = False
        self._gone_here = False
        self._gone_there = False

    @property
    def stream_count(self) -> int:
        """Streams that are not closed yet."""
        return len(self._streams)

    @property
    def granted(self) -> int:
        """Bytes that the peer may send, or has sent and the application has not taken."""
        open_ones = sum(stream.window for stream in self._streams.values())
        return open_ones + sum(stream.unread for stream in self._unread.values())

    @property
    def wants_to_send(self) -> bool:
        """Whether ``data_to_send`` has something."""
        return bool(self._out)

    def open(self) -> int:
        """Open a stream; it may be sent on at once.

        Raises:
            SessionClosedError: one end said GO_AWAY, too many are open, or no id is left.
        """
        if self._failed or self._gone_here or self._gone_there:
            raise SessionClosedError("the session takes no new streams")
        if self._is_full():
            raise SessionClosedError(f"{self._max_streams} streams are open")
        stream_id = self._next_id
        if stream_id > frames.MAX_LENGTH:
            raise SessionClosedError("the session has used up its stream ids")
        self._next_id += 2
        self._add(stream_id, State.OPENING, SYN)
        return stream_id

    def is_open(self, stream_id: int) -> bool:
        """Whether the stream is known and not closed."""
        return stream_id in self._streams

    def credit(self, stream_id: int) -> int:
        """Bytes that the peer may still send; 0 for a stream that is gone."""
        stream = self._streams.get(stream_id)
        return 0 if stream is None else stream.credit

    def send_budget(self, stream_id: int) -> int:
        """Bytes that may be sent now; 0 for a stream that takes none any more."""
        stream = self._streams.get(stream_id)
        return stream.send_budget if stream is not None and stream.sends else 0

    def send(self, stream_id: int, data: bytes | bytearray | memoryview) -> None:
        """Send bytes as one frame. They must not change before ``data_to_send``.

        Raises:
            StreamClosedError: the stream is gone or finished here.
            WindowExhausted: more than ``send_budget``.
        """
        size = len(data)
        self._stream(stream_id).sent(size)
        if size:
            self._frame(DATA, 0, stream_id, size)
            self._out.append(bytes(data) if isinstance(data, bytearray) else data)

    def finish(self, stream_id: int) -> None:
        """Say that nothing more will be sent (FIN); receiving goes on.

        Raises:
            StreamClosedError: the stream is gone or finished here already.
        """
        stream = self._stream(stream_id)
        stream.step_here(Step.SEND_FIN)
        self._frame(WINDOW_UPDATE, FIN, stream_id, 0)
        self._forget_if_closed(stream)

    def reset(self, stream_id: int) -> None:
        """Give a stream up (RST); nothing happens when it is gone already."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._frame(WINDOW_UPDATE, RST, stream_id, 0)
            self._remove(stream)

    def consumed(self, stream_id: int, size: int) -> None:
        """Say that the application has taken ``size`` bytes; a gone stream is no error.

        Raises:
            ValueError: more than what arrived.
        """
        stream = self._streams.get(stream_id)
        if stream is None:
            self._taken_late(stream_id, size)
            return
        delta = stream.give_back(size)
        if self._round is not None:
            self._round[stream_id] = self._round.get(stream_id, 0) + size
        if delta:
            self._frame(WINDOW_UPDATE, 0, stream_id, delta)
            if self._round is None:
                self._round = {}
                self._frame(PING, SYN, 0, ROUND_PING)

    def forget(self, stream_id: int) -> None:
        """Say that the application will take nothing more of a stream."""
        stream = self._unread.pop(stream_id, None)
        if stream is not None:
            self._windows.end(stream.window)

    def ping(self) -> int:
        """Ask for a ``Pong`` with the value that is returned."""
        value = self._next_ping
        self._next_ping = value + 1 if value < frames.MAX_LENGTH else ROUND_PING + 1
        self._frame(PING, SYN, 0, value)
        return value

    def go_away(self, code: int = frames.GO_AWAY_NORMAL) -> None:
        """Tell the peer to open no more streams; those that are open go on."""
        self._gone_here = True
        self._frame(GO_AWAY, 0, 0, code)

    def data_to_send(self) -> bytes:
        """Return everything that is to go out, in one piece, and forget it."""
        out = self._out
        if not out:
            return b""
        self._out = []
        return b"".join(out)

    def events_received(self) -> list[Event]:
        """Return what happened since the last call."""
        events, self._events = self._events, []
        return events

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes from the pipe.

        Raises:
            ProtocolError: the peer broke the protocol; a GO_AWAY that says so is ready to be
                sent, and the session takes nothing more.
        """
        if self._failed:
            raise ProtocolError("the session has failed before")
        try:
            for piece in self._reader.feed(data if isinstance(data, bytes) else bytes(data)):
                self._receive(piece)
        except ProtocolError:
            self._failed = True
            self._streams.clear()
            self._unread.clear()
            self.go_away(frames.GO_AWAY_PROTOCOL_ERROR)
            raise

    def _receive(self, piece: frames.Piece) -> None:
        kind, flags, stream_id, length, body = piece
        if kind == PING:
            self._receive_ping(flags, length)
        elif kind == GO_AWAY:
            self._gone_there = True
            self._events.append(GoneAway(length))
        else:
            stream = self._streams.get(stream_id)
            if stream is None or flags & SYN:
                stream = self._unknown(flags, stream_id)
                if stream is None:
                    return
            # hashicorp/yamux never acknowledges a stream that was finished before it was accepted
            if flags & ACK or (stream.state in UNANSWERED and (body or flags & FIN)):
                stream.step_there(Step.RECEIVE_ACK)
            if kind == WINDOW_UPDATE:
                self._receive_credit(stream, length)
            elif body:
                stream.arrived(length)
                self._events.append(DataReceived(stream_id, body))
            if flags & (FIN | RST):
                self._receive_end(stream, flags)

    def _unknown(self, flags: int, stream_id: int) -> Stream | None:
        """Return the stream that this frame opens, or None when the frame is to be ignored."""
        if stream_id & 1 == self._next_id & 1:
            if flags & SYN or stream_id >= self._next_id:
                raise ProtocolError(f"stream {stream_id} is not the peer's to open")
            return None
        if not flags & SYN:
            if stream_id > self._highest_there:
                raise ProtocolError(f"stream {stream_id} was never opened")
            return None
        if stream_id <= self._highest_there:
            raise ProtocolError(f"stream {stream_id} is opened again")
        self._highest_there = stream_id
        if self._gone_here or self._is_full():
            self._frame(WINDOW_UPDATE, RST, stream_id, 0)
            return None
        stream = self._add(stream_id, State.OPEN, ACK)
        self._events.append(StreamOpened(stream_id))
        return stream

    def _receive_credit(self, stream: Stream, size: int) -> None:
        if size:
            stream.widened(size)
            if stream.sends:
                self._events.append(SendWindowOpened(stream.stream_id))

    def _receive_end(self, stream: Stream, flags: int) -> None:
        if flags & FIN:
            stream.step_there(Step.RECEIVE_FIN)
            self._events.append(StreamFinished(stream.stream_id))
            self._forget_if_closed(stream)
        if flags & RST and stream.state is not State.CLOSED:
            stream.step_there(Step.RECEIVE_RST)
            self._events.append(StreamReset(stream.stream_id))
            self._forget_if_closed(stream)

    def _receive_ping(self, flags: int, value: int) -> None:
        if flags == SYN:
            self._frame(PING, ACK, 0, value)
        elif flags == ACK and value == ROUND_PING:
            self._end_round()
        elif flags == ACK:
            self._events.append(Pong(value))
        else:
            raise ProtocolError(f"ping with flags {flags:#06x}")

    def _stream(self, stream_id: int) -> Stream:
        stream = self._streams.get(stream_id)
        if stream is None:
            raise StreamClosedError(f"stream {stream_id} is gone")
        return stream

    def _end_round(self) -> None:
        """Widen the windows of which more than half was used within the round trip."""
        used, self._round = self._round or {}, None
        for stream_id, size in used.items():
            stream = self._streams.get(stream_id)
            if stream is None or size * 2 < stream.window or stream.state not in RECEIVES_LATER:
                continue
            extra = self._windows.grow(stream.window)
            if extra:
                stream.grow(extra)
                self._frame(WINDOW_UPDATE, 0, stream_id, extra)

    def _is_full(self) -> bool:
        return len(self._streams) + len(self._unread) >= self._max_streams

    def _add(self, stream_id: int, state: State, flag: int) -> Stream:
        """Begin a stream, and tell the peer how much more than the first window it may send."""
        first, extra = self._windows.first, self._windows.begin()
        stream = Stream(stream_id, state, send_budget=first, credit=first + extra)
        self._streams[stream_id] = stream
        self._frame(WINDOW_UPDATE, flag, stream_id, extra)
        return stream

    def _forget_if_closed(self, stream: Stream) -> None:
        if stream.state is State.CLOSED:
            self._remove(stream)

    def _remove(self, stream: Stream) -> None:
        """Forget a stream; what the application has not taken of it goes on to count."""
        del self._streams[stream.stream_id]
        if stream.unread:
            self._unread[stream.stream_id] = stream
        else:
            self._windows.end(stream.window)

    def _taken_late(self, stream_id: int, size: int) -> None:
        stream = self._unread.get(stream_id)
        if stream is not None:
            stream.give_back(size)
            if not stream.unread:
                self.forget(stream_id)

    def _frame(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        self._out.append(frames.encode(kind, flags, stream_id, length))
