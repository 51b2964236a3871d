"""The link's bytes without I/O: counted, kept until acknowledged, continued at the exact byte.

    record      KIND (1 byte)  NUMBER (8 bytes, big-endian)  [bytes]
    data        NUMBER bytes of the mux follow
    ack         NUMBER bytes of the mux have arrived here
    ping, pong  the same, and a pong is wanted; the same, and it is the answer
    bye         this end forgets the link; NUMBER bytes of why (UTF-8) follow

A connection may end anywhere, also in the middle of a record: what counts is how many bytes of the
mux have arrived, which both ends tell each other in the handshake of the next connection.

resume = Resume()
resume.attach(peer_received)             # what the peer said in the handshake
resume.send(b"...")                      # at most as long as not resume.full
pipe.write(resume.data_to_send())
mux.data_received(piece) for piece in resume.receive_data(chunk)
resume.detach()                          # the connection is lost; resume.received stays
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from struct import Struct
from typing import Final

DATA: Final = 0
ACK: Final = 1
PING: Final = 2
PONG: Final = 3
BYE: Final = 4

REPLAY_LIMIT: Final = 16 * 1024 * 1024
"""Bytes kept for replay above which nothing more should be sent; with 300 ms of round trip and an
acknowledgement every ``ACK_EVERY`` bytes, that is 50 MB/s."""

ACK_EVERY: Final = 256 * 1024
"""Bytes after which an acknowledgement leaves by itself; each ping and pong is one too."""

CHUNK: Final = 512 * 1024
"""Bytes of one data record, at most: more than what a mux writes at once."""

MAX_RECORD: Final = 1024 * 1024
"""Bytes of a data record above which the peer is not one of ours."""

MAX_REASON: Final = 512
"""Bytes of a goodbye's reason."""

OVERHEAD: Final = 64
"""What each kept piece counts beside its bytes: so much does a Python object cost."""

_HEAD: Final = Struct("!BQ")


class ResumeError(Exception):
    """The peer's bytes or counts cannot be those of this link's other end."""


class State(Enum):
    """Whether a connection carries the link."""

    DETACHED = "detached"
    ATTACHED = "attached"
    ENDED = "ended"


class Resume:
    """One end of a link that outlives its connections.

    Attributes:
        received: bytes of the mux that have arrived, over all connections.
        farewell: why the peer has forgotten the link; None while it has not.
        answered: pongs that have arrived, over all connections.
    """

    def __init__(self, *, limit: int = REPLAY_LIMIT) -> None:
        self.received = 0
        self.farewell: str | None = None
        self.answered = 0
        self._limit = limit
        self._state = State.DETACHED
        self._kept: deque[bytes] = deque()
        self._unsent: deque[bytes] = deque()
        self._base = 0  # where the first kept piece starts
        self._sent = 0
        self._held = 0
        self._acknowledged = 0  # what the peer was told to have arrived here
        self._owed: list[int] = []  # control records to be sent
        self._goodbye: bytes | None = None
        self._head = b""
        self._left = 0  # bytes of the data record that is being received
        self._reason: bytearray | None = None

    @property
    def state(self) -> State:
        """Whether a connection carries the link."""
        return self._state

    @property
    def held(self) -> int:
        """Bytes kept because the peer has not acknowledged them, with what they cost beside."""
        return self._held

    @property
    def full(self) -> bool:
        """Whether so much is kept that nothing more should be sent for now."""
        return self._held >= self._limit

    @property
    def drained(self) -> bool:
        """Whether so little is kept that what was stopped should go on."""
        return self._held * 2 <= self._limit

    @property
    def wants_to_send(self) -> bool:
        """Whether ``data_to_send`` has something."""
        return self._state is State.ATTACHED and bool(self._owed or self._unsent or self._goodbye)

    def attach(self, peer_received: int) -> None:
        """Go on over a fresh connection, at the byte behind those that the peer has.

        Raises:
            ResumeError: the peer cannot have so many, or has forgotten some that it had.
        """
        if self._state is State.ENDED or not self.reaches(peer_received):
            raise ResumeError(f"the peer has {peer_received} bytes of {self._base} to {self._sent}")
        self._forget(peer_received)
        if self._kept and peer_received > self._base:
            self._kept[0] = self._kept[0][peer_received - self._base :]
            self._held -= peer_received - self._base
            self._base = peer_received
        self._unsent.extendleft(reversed(self._kept))
        self._kept.clear()
        self._sent = peer_received
        self._acknowledged = self.received  # the handshake said so
        self._owed.clear()
        self._head, self._left, self._reason = b"", 0, None
        self._state = State.ATTACHED

    def reaches(self, peer_received: int) -> bool:
        """Whether the link can go on behind the peer's ``peer_received`` bytes."""
        return self._base <= peer_received <= self._sent

    def detach(self) -> None:
        """Note that the connection is lost; nothing else is."""
        if self._state is State.ATTACHED:
            self._state = State.DETACHED

    def end(self, reason: str) -> None:
        """Say goodbye behind everything else; the link cannot be resumed after that."""
        words = reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore").encode()
        self._goodbye = _HEAD.pack(BYE, len(words)) + words

    def send(self, data: bytes) -> None:
        """Keep ``data`` until the peer has it; it leaves with ``data_to_send``."""
        if data:
            self._unsent.append(data)
            self._held += len(data) + OVERHEAD

    def ping(self) -> None:
        """Ask the peer for a sign of life, which counts in ``answered``."""
        self._owe(PING)

    def data_to_send(self, limit: int = CHUNK) -> bytes:
        """Return the next bytes for the connection: control records, then ``limit`` of the mux."""
        if self._state is not State.ATTACHED:
            return b""
        out = [_HEAD.pack(kind, self.received) for kind in self._owed]
        if out:
            self._owed.clear()
            self._acknowledged = self.received
        if self._unsent and limit > 0:
            pieces = self._next_pieces(min(limit, CHUNK))
            out.append(_HEAD.pack(DATA, sum(map(len, pieces))))
            out += pieces
        if self._goodbye is not None and not self._unsent:
            out.append(self._goodbye)
            self._goodbye = None
            self._state = State.ENDED
        return b"".join(out)

    def receive_data(self, data: bytes) -> list[bytes]:
        """Take bytes from the connection and return the mux's among them, in order.

        Raises:
            ResumeError: the peer is no end of this link.
        """
        if self._state is not State.ATTACHED:
            return []
        if not self._head and 0 < len(data) <= self._left and self._reason is None:
            self._left -= len(data)
            found = [data]
        else:
            found = self._records(data)
        self.received += sum(map(len, found))
        if self.received - self._acknowledged >= ACK_EVERY:
            self._owe(ACK)
        return found

    # The inside.

    def _records(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        rest = self._head + data if self._head else data
        self._head = b""
        position, size = 0, len(rest)
        while position < size:
            if self._left:
                stop = min(position + self._left, size)
                piece = rest[position:stop]
                self._left -= stop - position
                if self._reason is None:
                    found.append(piece)
                else:
                    self._reason += piece
                position = stop
            elif size - position < _HEAD.size:
                self._head = rest[position:]
                break
            else:
                kind, number = _HEAD.unpack_from(rest, position)
                position += _HEAD.size
                self._begin(kind, number)
            if self._reason is not None and not self._left:
                self.farewell = self._reason.decode("utf-8", "replace")
                self._state = State.ENDED
                break
        return found

    def _begin(self, kind: int, number: int) -> None:
        """Take a record's head."""
        if kind == DATA and 0 < number <= MAX_RECORD:
            self._left = number
        elif kind == BYE and number <= MAX_REASON:
            self._left, self._reason = number, bytearray()
        elif kind in (ACK, PING, PONG) and self.reaches(number):
            self._forget(number)
            if kind == PING:
                self._owe(PONG)
            elif kind == PONG:
                self.answered += 1
        else:
            raise ResumeError(f"a record of kind {kind} with {number}")

    def _owe(self, kind: int) -> None:
        if kind not in self._owed:
            self._owed.append(kind)

    def _forget(self, count: int) -> None:
        """Forget the pieces that the peer has as a whole."""
        kept = self._kept
        while kept and self._base + len(kept[0]) <= count:
            size = len(kept.popleft())
            self._base += size
            self._held -= size + OVERHEAD

    def _next_pieces(self, limit: int) -> list[bytes]:
        """Move the next pieces, ``limit`` bytes of them at most, to those that are kept."""
        pieces: list[bytes] = []
        while self._unsent and limit > 0:
            piece = self._unsent.popleft()
            if len(piece) > limit:
                self._unsent.appendleft(piece[limit:])
                self._held += OVERHEAD
                piece = piece[:limit]
            pieces.append(piece)
            limit -= len(piece)
            self._sent += len(piece)
        self._kept.extend(pieces)
        return pieces
