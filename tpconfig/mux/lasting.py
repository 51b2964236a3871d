"""A mux's pipe that outlasts the connections under it: ``resume`` on asyncio.

The mux writes and is fed as over one connection that never breaks; while none is there it is
paused. Both ends look for signs of life by themselves: a port-forward may stay open and carry
nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tpconfig.mux.aio import Mux
from tpconfig.mux.carrying import PipeConnection
from tpconfig.mux.resume import Resume, ResumeError

BEAT_S: Final = 5.0
"""Seconds between two pings of each end."""

SILENT_BEATS: Final = 2
"""Beats without a byte after which a connection is dead."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a connection's life is told.

    Attributes:
        beat_s: seconds between two pings.
        silent_beats: beats without a byte after which the connection is dead.
    """

    beat_s: float = BEAT_S
    silent_beats: float = SILENT_BEATS

    @property
    def silence_s(self) -> float:
        """Seconds without a byte after which a connection is dead."""
        return self.beat_s * self.silent_beats


class LastingPipe:
    """The pipe of one mux; to be made, attached and closed on one event loop.

    Args:
        lost: is told whenever the connection there is was lost, and why.
        pulse: how often each end shows that it lives.

    Attributes:
        rtt_s: the last ping's round trip.
        reason: what ``close`` tells the peer.
    """

    def __init__(self, lost: Callable[[str], None], *, pulse: Pulse) -> None:
        self._tell_lost = lost
        self._pulse = pulse
        self._loop = asyncio.get_running_loop()
        self._resume = Resume()
        self._mux: Mux | None = None
        self._pipe: PipeConnection | None = None
        self._pipe_full = False
        self._stuffed = False
        self._paused = False
        self._heard_s = 0.0
        self._expected_s: float | None = None
        self._pinged_s: float | None = None
        self._answered = 0
        self._beat: asyncio.TimerHandle | None = None
        self._silence: asyncio.TimerHandle | None = None
        self._ended = False
        self.rtt_s: float | None = None
        self.reason = ""

    @property
    def attached(self) -> bool:
        """Whether a connection carries the link."""
        return self._pipe is not None

    @property
    def received(self) -> int:
        """Bytes of the mux that have arrived over all connections."""
        return self._resume.received

    @property
    def overdue_s(self) -> float:
        """Seconds since a sign of life was due that has not come; a peer may die after any."""
        return max(0.0, self._loop.time() - self._heard_s - self._pulse.beat_s)

    @property
    def held(self) -> int:
        """Bytes kept for replay, with what they cost beside."""
        return self._resume.held

    def reaches(self, peer_received: int) -> bool:
        """Whether the link can go on behind the peer's ``peer_received`` bytes."""
        return not self._ended and self._resume.reaches(peer_received)

    def serve(self, mux: Mux) -> None:
        """Feed ``mux`` from now on; it is paused until there is a connection."""
        self._mux = mux
        self._press()

    def attach(self, pipe: PipeConnection, *, peer_received: int, early: bytes) -> None:
        """Go on over a connection whose handshake is done.

        Args:
            pipe: the connection; owned from now on.
            peer_received: how many bytes of the mux the peer has.
            early: what arrived behind the handshake.

        Raises:
            ResumeError: the peer's count does not fit.
        """
        if self._ended:
            raise ResumeError("the link has ended")
        self.detach()
        self._resume.attach(peer_received)
        self._pipe, self._pipe_full = pipe, False
        self._heard_s, self._expected_s = self._loop.time(), None
        self._pinged_s, self._answered = None, self._resume.answered
        pipe.start(
            partial(self._received, pipe),
            partial(self._lost, pipe),
            pause=partial(self._full, pipe, value=True),
            resume=partial(self._full, pipe, value=False),
        )
        if early and self._pipe is pipe:
            self._received(pipe, early)
        if self._pipe is pipe:
            self._next_beat()
            self._check_silence()
            self._flush()

    def detach(self) -> None:
        """Close the connection there is; what it did not carry goes over the next one."""
        pipe, self._pipe = self._pipe, None
        self._stop_timers()
        self._resume.detach()
        if pipe is not None:
            pipe.close()
        self._press()

    def drop(self, reason: str) -> None:
        """Give the connection up, as if it had been lost."""
        if self._pipe is not None:
            self._lost(self._pipe, reason)

    def expect(self, within_s: float) -> None:
        """Doubt the connection: it is lost unless something is heard within the time."""
        if self._pipe is None or self._expected_s is not None:
            return
        self._expected_s = self._loop.time() + within_s
        self._ping()
        self._check_silence()

    # What the mux calls.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep ``data`` until the peer has it, and send it when it can be."""
        self._resume.send(data if isinstance(data, bytes) else bytes(data))
        self._flush()

    def close(self) -> None:
        """Say goodbye, and the ``reason``: the peer forgets the link. Done when this returns."""
        if self._ended:
            return
        self._ended = True
        self._resume.end(self.reason)
        if self._pipe is not None:
            while self._resume.wants_to_send:
                self._pipe.write(self._resume.data_to_send())
        self.detach()

    # The inside.

    def _received(self, pipe: PipeConnection, data: bytes) -> None:
        if pipe is not self._pipe:
            return
        self._heard_s, self._expected_s = self._loop.time(), None
        resume = self._resume
        try:
            pieces = resume.receive_data(data)
        except ResumeError as error:
            self._over(f"the link's other end broke its protocol: {error}")
            return
        if resume.answered != self._answered:
            self._note_answer()
        if resume.wants_to_send:
            pipe.write(resume.data_to_send(0))
        if self._stuffed:
            self._press()
        if self._mux is not None:
            for piece in pieces:
                self._mux.data_received(piece)
        if resume.farewell is not None:
            self._over(resume.farewell or "the peer closed the link")

    def _lost(self, pipe: PipeConnection, reason: str) -> None:
        if pipe is self._pipe:
            self.detach()
            if not self._ended:
                self._tell_lost(reason)

    def _full(self, pipe: PipeConnection, *, value: bool) -> None:
        if pipe is self._pipe:
            self._pipe_full = value
            self._flush()

    def _over(self, reason: str) -> None:
        """End the mux: the link cannot be resumed."""
        self._ended = True
        self.detach()
        if self._mux is not None:
            self._mux.pipe_lost(reason)

    def _flush(self) -> None:
        """Send what waits, as far as the connection takes it."""
        while self._pipe is not None and not self._pipe_full and self._resume.wants_to_send:
            self._pipe.write(self._resume.data_to_send())
        self._press()

    def _press(self) -> None:
        """Pause the mux where nothing more should come for now, or let it go on."""
        resume = self._resume
        self._stuffed = resume.full or (self._stuffed and not resume.drained)
        full = self._pipe is None or self._pipe_full or self._stuffed
        if self._mux is None or full == self._paused:
            return
        self._paused = full
        if full:
            self._mux.pause_writing()
        else:
            self._mux.resume_writing()

    # Signs of life.

    def _next_beat(self) -> None:
        self._beat = self._loop.call_later(self._pulse.beat_s, self._next_beat)
        self._ping()

    def _ping(self) -> None:
        if self._pinged_s is None:
            self._pinged_s = time.monotonic()  # uvloop's own clock counts whole milliseconds
        self._resume.ping()
        if self._pipe is not None:
            self._pipe.write(self._resume.data_to_send(0))

    def _note_answer(self) -> None:
        self._answered = self._resume.answered
        if self._pinged_s is not None:
            self.rtt_s = time.monotonic() - self._pinged_s
            self._pinged_s = None

    def _check_silence(self) -> None:
        """Give the connection up when nothing has come for so long that it must be dead."""
        if self._silence is not None:
            self._silence.cancel()
        silent_s = self._loop.time() - self._heard_s
        left_s = self._pulse.silence_s - silent_s
        if self._expected_s is not None:
            left_s = min(left_s, self._expected_s - self._loop.time())
        if left_s > 0:
            self._silence = self._loop.call_later(left_s, self._check_silence)
        else:
            self.drop(f"nothing heard for {silent_s:.1f} s")

    def _stop_timers(self) -> None:
        for timer in (self._beat, self._silence):
            if timer is not None:
                timer.cancel()
        self._beat = self._silence = None
