"""Time as a thing that is handed over, so that tests can own it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never run backwards, from an arbitrary start."""

    def monotonic_s(self) -> float:
        """Return the seconds since some fixed moment."""
        ...


class SystemClock:
    """The machine's own monotonic clock."""

    def monotonic_s(self) -> float:
        """Return the seconds since some fixed moment."""
        return time.monotonic()
