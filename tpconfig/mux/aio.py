"""The multiplexer on asyncio: a pipe below, one transport per stream above.

Everything that is written in one tick of the event loop leaves as one ``pipe.write``. Only streams'
bytes wait while the pipe is full; what keeps the protocol going (credit, pings, resets) does not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol, assert_never

from tpconfig.mux import frames
from tpconfig.mux import session as sessions
from tpconfig.mux.flow import Turns, Unsent
from tpconfig.mux.session import MAX_STREAMS, Role, Session
from tpconfig.mux.transport import MuxStream
from tpconfig.mux.window import FIRST_WINDOW

__all__ = ["Mux", "MuxStream", "Pipe", "Role"]

LINGER_S: Final = 60.0
"""Seconds that a closed stream waits for the peer's end before it is reset (as TCP's FIN_WAIT2)."""

MAX_HELD: Final = 1024 * 1024
"""Bytes of answers to a peer that asks and does not read, before it is given up."""


class Pipe(Protocol):
    """What carries the bytes: a WebSocket on the client, a TCP transport in the agent."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send ``data``; buffers it, and calls the mux's ``pause_writing`` when that is much."""
        ...

    def close(self) -> None:
        """Send what is buffered and close."""
        ...


class Mux:
    """Many streams in one pipe; to be made, fed and closed on one event loop.

    Args:
        role: which end this is.
        pipe: where bytes go; its owner feeds ``data_received`` and ``pipe_lost``.
        accept: is given each stream that the peer opens and returns the stream's protocol.
        lost: is called once, after every stream's ``connection_lost``, when the mux ended by
            anything but its own ``close()``: the pipe was lost, or the peer broke the protocol.
        max_streams: streams open at once, past which the peer's new ones are reset.
        first_window: bytes that both ends take for granted on a fresh stream.

    Attributes:
        unsent: what all streams' bytes that wait to be sent come to.
    """

    def __init__(
        self,
        role: Role,
        pipe: Pipe,
        *,
        accept: Callable[[MuxStream], asyncio.BaseProtocol],
        lost: Callable[[str], None],
        max_streams: int = MAX_STREAMS,
        first_window: int = FIRST_WINDOW,
    ) -> None:
        self._session = Session(role, first_window=first_window, max_streams=max_streams)
        self._pipe = pipe
        self._accept = accept
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, MuxStream] = {}
        self._lingering: dict[int, asyncio.TimerHandle] = {}
        self._pings: dict[int, asyncio.Future[float]] = {}
        self._turns: Turns[MuxStream] = Turns()
        self.unsent = Unsent()
        self._flush_scheduled = False
        self._pipe_full = False
        self._held = 0
        self._ended: str | None = None

    @property
    def stream_count(self) -> int:
        """Streams whose protocols are still connected."""
        return len(self._streams)

    @property
    def granted(self) -> int:
        """Bytes that the peer may send, or has sent and nobody here has read."""
        return self._session.granted

    def open(self, protocol: asyncio.BaseProtocol, *, opening: bytes = b"") -> MuxStream:
        """Open a stream; SYN and ``opening`` leave with whatever else is written in this tick.

        ``protocol.connection_made`` is called before this returns.

        Raises:
            ConnectionResetError: the mux has ended, or the peer takes no new streams.
        """
        if self._ended is not None:
            raise ConnectionResetError(self._ended)
        try:
            stream_id = self._session.open()
        except sessions.SessionClosedError as error:
            raise ConnectionResetError(str(error)) from error
        stream = self._add(stream_id)
        self.nudge()
        stream.write(opening)
        stream.start(protocol)
        return stream

    def data_received(self, data: bytes) -> None:
        """Take bytes from the pipe and call the protocols they are for."""
        if self._ended is not None:
            return
        try:
            self._session.receive_data(data)
        except frames.ProtocolError as error:
            self._give_up(f"the peer broke the protocol: {error}")
            return
        for event in self._session.events_received():
            self._dispatch(event)
            if self._ended is not None:
                return
        self.nudge()

    def pause_writing(self) -> None:
        """Let the streams' bytes wait: the pipe is full."""
        self._pipe_full = True
        self._held = 0

    def resume_writing(self) -> None:
        """Go on: the pipe has room."""
        self._pipe_full = False
        self.nudge()

    def pipe_lost(self, reason: str) -> None:
        """End everything: every stream gets ``connection_lost(ConnectionResetError(reason))``."""
        self._end(reason)

    async def ping(self) -> float:
        """Return the seconds that the peer's answer took.

        Raises:
            ConnectionResetError: the mux has ended, or ended meanwhile.
        """
        if self._ended is not None:
            raise ConnectionResetError(self._ended)
        value = self._session.ping()
        answered: asyncio.Future[float] = self._loop.create_future()
        self._pings[value] = answered
        self.nudge()
        started_s = time.monotonic()  # uvloop's own clock counts whole milliseconds
        try:
            return await answered - started_s
        finally:
            self._pings.pop(value, None)

    def close(self, reason: str = "") -> None:
        """Say goodbye, reset every stream and close the pipe; ``lost`` is not called."""
        if self._ended is None:
            self._flush()
        if self._ended is None:
            self._session.go_away(frames.GO_AWAY_NORMAL)
            self._write(self._session.data_to_send())
            self._end(reason or "the link was closed", told=True)
            self._pipe.close()

    # What streams call.

    def wants_turn(self, stream: MuxStream) -> None:
        """Queue a stream that has something to send."""
        if stream.ready:
            self._turns.add(stream)
            self.nudge()

    def nudge(self) -> None:
        """Write in the next tick what there is to write."""
        if self._flush_scheduled or self._ended is not None:
            return
        if self._session.wants_to_send or (self._turns and not self._pipe_full):
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)

    def left(self, stream: MuxStream) -> None:
        """Forget a stream; one that the peer has not finished is remembered for a while."""
        stream_id = stream.stream_id
        self._streams.pop(stream_id, None)
        self._session.forget(stream_id)
        if self._ended is None and self._session.is_open(stream_id):
            self._lingering[stream_id] = self._loop.call_later(
                LINGER_S, self._stop_lingering, stream_id
            )
            self._drop(stream_id)

    # The inside.

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._ended is not None:
            return
        senders = [] if self._pipe_full else self._turns.take_round()
        self._write(self._session.data_to_send())
        for sender in senders:
            sender.resume_if_drained()
        self.nudge()

    def _write(self, data: bytes) -> None:
        if not data:
            return
        if self._pipe_full:
            self._held += len(data)
            if self._held > MAX_HELD:
                self._end("the peer asks and does not read")
                self._pipe.close()
                return
        try:
            self._pipe.write(data)
        except OSError as error:
            self._end(f"the pipe takes no more: {error}")

    def _dispatch(self, event: sessions.Event) -> None:
        match event:
            case sessions.DataReceived(stream_id, data):
                if stream := self._streams.get(stream_id):
                    stream.data_arrived(data)
                else:
                    self._drop(stream_id)
            case sessions.SendWindowOpened(stream_id):
                if stream := self._streams.get(stream_id):
                    self.wants_turn(stream)
            case sessions.StreamOpened(stream_id):
                self._opened(stream_id)
            case sessions.StreamFinished(stream_id):
                if stream := self._streams.get(stream_id):
                    stream.fin_arrived()
                self._forget_lingering(stream_id)
            case sessions.StreamReset(stream_id):
                if stream := self._streams.get(stream_id):
                    stream.cut(ConnectionResetError("the peer reset the stream"))
                self._forget_lingering(stream_id)
            case sessions.Pong(value):
                answered = self._pings.get(value)
                if answered is not None and not answered.done():
                    answered.set_result(time.monotonic())
            case sessions.GoneAway(code):
                if code != frames.GO_AWAY_NORMAL:
                    self._give_up(f"the peer gave up (code {code})")
            case _:
                assert_never(event)

    def _opened(self, stream_id: int) -> None:
        stream = self._add(stream_id)
        try:
            protocol = self._accept(stream)
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "a stream was not accepted", "exception": error, "transport": stream}
            )
            stream.abort()
        else:
            stream.start(protocol)

    def _add(self, stream_id: int) -> MuxStream:
        stream = MuxStream(self, self._session, stream_id, loop=self._loop)
        self._streams[stream_id] = stream
        return stream

    def _drop(self, stream_id: int) -> None:
        """Let bytes for a closed stream go; reset it when the peer has used up its window."""
        if stream_id in self._lingering and self._session.credit(stream_id) == 0:
            self._stop_lingering(stream_id)

    def _stop_lingering(self, stream_id: int) -> None:
        self._session.reset(stream_id)
        self._forget_lingering(stream_id)
        self.nudge()

    def _forget_lingering(self, stream_id: int) -> None:
        timer = self._lingering.pop(stream_id, None)
        if timer is not None:
            timer.cancel()
            self._session.forget(stream_id)

    def _give_up(self, reason: str) -> None:
        """End because of the peer, after what the session still has to tell it."""
        self._write(self._session.data_to_send())
        self._end(reason)
        self._pipe.close()

    def _end(self, reason: str, *, told: bool = False) -> None:
        if self._ended is not None:
            return
        self._ended = reason
        for timer in self._lingering.values():
            timer.cancel()
        self._lingering.clear()
        for stream in list(self._streams.values()):
            stream.cut(ConnectionResetError(reason))
        self._turns.clear()
        for answered in self._pings.values():
            if not answered.done():
                answered.set_exception(ConnectionResetError(reason))
        if not told:
            self._loop.call_soon(self._lost, reason)
