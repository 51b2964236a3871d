"""Datagrams in a stream: each behind its length, 16 bits, as DNS over TCP does (RFC 1035 4.2.2)."""

from __future__ import annotations

from struct import Struct
from typing import Final

MAX_DATAGRAM: Final = 0xFFFF
"""Bytes of the largest datagram."""

_LENGTH: Final = Struct("!H")


def pack(datagram: bytes) -> bytes:
    """Return ``datagram`` behind its length.

    Raises:
        ValueError: it is larger than any datagram.
    """
    if len(datagram) > MAX_DATAGRAM:
        raise ValueError(f"a datagram of {len(datagram)} bytes")
    return _LENGTH.pack(len(datagram)) + datagram


class Unpacker:
    """Takes datagrams off a stream; holds less than one."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def held(self) -> int:
        """Bytes of a datagram that is not complete: at the stream's end, something was cut."""
        return len(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the datagrams that ``data`` completes."""
        if self._held:
            self._held += data
            datagrams, taken = _cut(self._held)
            del self._held[:taken]
        else:
            datagrams, taken = _cut(data)
            self._held += data[taken:]
        return datagrams


def _cut(buffer: bytes | bytearray) -> tuple[list[bytes], int]:
    datagrams: list[bytes] = []
    position, end = 0, len(buffer)
    while end - position >= _LENGTH.size:
        start = position + _LENGTH.size
        stop = start + _LENGTH.unpack_from(buffer, position)[0]
        if stop > end:
            break
        datagrams.append(bytes(buffer[start:stop]))
        position = stop
    return datagrams, position
