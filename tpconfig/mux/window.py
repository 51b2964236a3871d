"""How much each stream's peer may send: windows that grow, under one memory of the link.

The memory is counted by what was granted, not by what came: whoever stops reading 2,000 streams
cannot make the peer's bytes pass it. A part of it is set aside so that each stream that may be open
has its first window; the rest is lent to those that use it. A window that is used up within one
round trip was too small for it, and doubles: it settles at about twice the bandwidth-delay product.
"""

from __future__ import annotations

from typing import Final

LINK_MEMORY: Final = 64 * 1024 * 1024
"""Bytes that the peer may make one link hold: granted to it, or received and not read yet."""

YAMUX_WINDOW: Final = 256 * 1024
"""Bytes that each end may send on a fresh stream, by yamux's specification."""

YAMUX_STREAMS: Final = 128
"""Streams of a session that speaks plain yamux: half of the memory is set aside for them."""

FIRST_WINDOW: Final = 4 * 1024
"""Bytes that each end of a link may send on a fresh stream before it was answered: with yamux's
256 KiB, streams that nobody reads would pass the memory at the 257th. Both ends of a link are of
one version, so nothing has to be negotiated."""

START_WINDOW: Final = YAMUX_WINDOW
"""Bytes to which a stream's window is widened as it opens, where the memory allows."""

MAX_WINDOW: Final = 16 * 1024 * 1024
"""Bytes past which no window grows: 160 MB/s over a round trip of 100 ms."""

START_SHARE: Final = 64
"""What a stream that opens may take of the free memory, as a divisor."""

GROWTH_RESERVE: Final = 4
"""The part of the lent memory that no stream gets by opening alone, as a divisor: however many are
open and idle, one that moves bytes finds room to grow. What was granted cannot be taken back."""

GROWTH_SHARE: Final = 4
"""What a window that grows may take of the free memory, as a divisor: some is left for others."""


class Windows:
    """The memory of one end's streams.

    Args:
        memory: bytes that all windows together may have.
        first: bytes of a fresh stream's window, which the peer takes for granted.
        max_streams: streams that may be open at once.

    Raises:
        ValueError: the first windows of so many streams do not fit the memory.

    Attributes:
        first: bytes of a fresh stream's window.
        free: bytes that windows may still grow by.
    """

    __slots__ = ("_reserved", "first", "free")

    def __init__(self, *, memory: int, first: int, max_streams: int) -> None:
        if memory < first * max_streams or first < 1:
            raise ValueError(f"{max_streams} windows of {first} bytes in {memory}")
        self.first = first
        self.free = memory - first * max_streams
        self._reserved = self.free // GROWTH_RESERVE

    def begin(self) -> int:
        """Take what widens a fresh stream's window, and return it."""
        lent = (self.free - self._reserved) // START_SHARE
        return self._take(min(START_WINDOW - self.first, lent))

    def grow(self, window: int) -> int:
        """Take what widens a window that was used up within a round trip, and return it."""
        return self._take(min(window, MAX_WINDOW - window, self.free // GROWTH_SHARE))

    def end(self, window: int) -> None:
        """Take back the window of a stream that is gone."""
        self.free += window - self.first

    def _take(self, size: int) -> int:
        size = max(size, 0)
        self.free -= size
        return size
