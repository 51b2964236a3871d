"""How patient a link is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tpconfig.mux.lasting import BEAT_S, SILENT_BEATS, Pulse

GROWTH: Final = 2.0
"""How much longer each wait for another attempt is than the one before."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a link is, in seconds.

    Attributes:
        first_s: how long the first connection may take, the agent's start included.
        attempt_s: how long one attempt may take, connection and handshake.
        request_s: how long a request to the agent may take, a lost connection included.
        reconnect_s: how long streams wait for the next connection before they are reset.
        heartbeat_s: between two pings.
        silent_beats: heartbeats without a byte after which the connection is lost.
        backoff_s: the first wait before a new attempt; it doubles.
        backoff_max_s: the longest wait.
        doubt_s: how long the agent may take to answer after something has happened to the network;
            an attempt that is under way then gets as much.
    """

    first_s: float = 30.0
    attempt_s: float = 10.0
    request_s: float = 10.0
    reconnect_s: float = 300.0
    heartbeat_s: float = BEAT_S
    silent_beats: float = SILENT_BEATS
    backoff_s: float = 0.05
    backoff_max_s: float = 5.0
    doubt_s: float = 2.0

    @property
    def pulse(self) -> Pulse:
        """How each end shows that it lives."""
        return Pulse(self.heartbeat_s, self.silent_beats)

    def first_waits_s(self) -> Iterator[float]:
        """Yield the waits between attempts at the first connection, for ever.

        They differ, so that agents that start together are not asked together, and double: what an
        attempt comes too late by is at most what the agent took to start.
        """
        wait_s = self.backoff_s
        while True:
            yield wait_s * random.uniform(0.5, 1.0)
            wait_s = min(wait_s * GROWTH, self.backoff_max_s)


PATIENT: Final = Timing()
"""How patient a link is unless somebody says otherwise."""
