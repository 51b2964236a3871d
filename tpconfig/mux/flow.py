"""Who sends how much when: one stream's unsent bytes, and the turns that all streams take.

A stream with little to say goes before those with much, so that a request does not wait behind a
download; those with much take turns of one slice each, so that none starves another.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Generic, Protocol, TypeVar

SLICE: Final = 64 * 1024
"""Bytes of one turn."""

SMALL: Final = 4 * 1024
"""Backlog up to which a stream goes first; also the least size that is a frame of its own."""

ROUND: Final = 256 * 1024
"""Bytes of one round of bulk turns: about what leaves as one write."""

SMALL_ROUND: Final = 128 * 1024
"""Bytes of one round that may go before the bulk, which therefore never stops."""


SEND_MEMORY: Final = 32 * 1024 * 1024
"""Bytes that all streams of a link together keep unsent; near it each stream is paused sooner, at
it with its first write."""

SEND_SHARE: Final = 8
"""What one stream may keep of the room that is left in ``SEND_MEMORY``, as a divisor."""


class Unsent:
    """What the bytes that wait in all streams of a link come to.

    Each stream may keep a share of the room that is left, so the stalled ones stop early enough for
    those that move (dynamic thresholds, as switches share their buffers: Choudhury, Hahne 1998).
    """

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0

    @property
    def share(self) -> int:
        """Bytes that one stream may keep for now; those that have more are to pause."""
        return max(SEND_MEMORY - self.size, 0) // SEND_SHARE


class Outbox:
    """Bytes that one stream has not sent yet; chunks are cut by views, small ones are joined."""

    __slots__ = ("_chunks", "_offset", "size")

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._offset = 0
        self.size = 0

    def append(self, data: bytes) -> None:
        """Put ``data`` (not empty) behind the rest."""
        self._chunks.append(data)
        self.size += len(data)

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self._offset = 0
        self.size = 0

    def take(self, limit: int) -> bytes | memoryview:
        """Remove and return the next bytes, 1 to ``limit`` of them; there must be some."""
        head, offset = self._chunks[0], self._offset
        left = len(head) - offset
        if left < SMALL and left < limit and len(self._chunks) > 1:
            return self._gather(limit)
        if offset == 0 and left <= limit:
            self._chunks.popleft()
            self.size -= left
            return head
        return self._cut(min(left, limit))

    def _cut(self, size: int) -> memoryview:
        head, offset = self._chunks[0], self._offset
        view = memoryview(head)[offset : offset + size]
        self._offset = offset + size
        if self._offset == len(head):
            self._chunks.popleft()
            self._offset = 0
        self.size -= size
        return view

    def _gather(self, limit: int) -> bytes:
        parts: list[memoryview] = []
        while limit and self._chunks:
            part = self._cut(min(limit, len(self._chunks[0]) - self._offset))
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)


class Sender(Protocol):
    """Something that sends when it is its turn."""

    @property
    def backlog(self) -> int:
        """Bytes that wait to be sent."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a turn would send anything."""
        ...

    def take_turn(self, limit: int) -> int:
        """Send at most ``limit`` bytes and return how many there were."""
        ...


S = TypeVar("S", bound=Sender)


class Turns(Generic[S]):
    """The queue of those that are ready to send; one that is gone by its turn sends nothing."""

    __slots__ = ("_bulk", "_queued", "_small")

    def __init__(self) -> None:
        self._small: deque[S] = deque()
        self._bulk: deque[S] = deque()
        self._queued: set[S] = set()

    def __bool__(self) -> bool:
        return bool(self._queued)

    def add(self, sender: S) -> None:
        """Queue ``sender``, once."""
        if sender not in self._queued:
            self._queued.add(sender)
            (self._small if sender.backlog <= SMALL else self._bulk).append(sender)

    def clear(self) -> None:
        """Forget everybody."""
        self._small.clear()
        self._bulk.clear()
        self._queued.clear()

    def take_round(self) -> list[S]:
        """Let senders send for one write's worth and return those that did."""
        took: dict[S, None] = {}
        for queue, room, slice_size in (
            (self._small, SMALL_ROUND, SMALL),
            (self._bulk, ROUND, SLICE),
        ):
            while queue and room > 0:
                sender = queue.popleft()
                room -= sender.take_turn(slice_size)
                took[sender] = None
                if sender.ready:
                    self._bulk.append(sender)
                else:
                    self._queued.discard(sender)
        return list(took)
