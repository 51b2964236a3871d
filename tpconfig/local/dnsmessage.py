"""As much of a DNS message as has to be understood to carry it over UDP (RFC 1035, RFC 6891)."""

from __future__ import annotations

import struct
from typing import Final

_HEADER: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!2HIH")
_QR: Final = 0x8000
_OPCODE_AND_RD: Final = 0x7900
_TC: Final = 0x0200
_RA: Final = 0x0080
_SERVFAIL: Final = 2
_OPT: Final = 41
_POINTER: Final = 0xC0

SHORTEST: Final = _HEADER.size
CLASSIC_LIMIT: Final = 512
"""Bytes that an asker without EDNS takes over UDP."""


def failure(query: bytes) -> bytes:
    """Return the answer that the server failed (SERVFAIL), with the question as it came."""
    number, flags, *_ = _HEADER.unpack_from(query)
    end = _questions_end(query)
    count = 0 if end is None else _questions(query)
    header = _HEADER.pack(number, _QR | _RA | flags & _OPCODE_AND_RD | _SERVFAIL, count, 0, 0, 0)
    return header + query[SHORTEST : end or SHORTEST]


def fit(query: bytes, answer: bytes) -> bytes:
    """Return ``answer``, or where the asker takes less over UDP, what fits of it with TC set.

    The asker then comes again over TCP; one that does not know how (musl before 1.2.4) makes do
    with the records that it got.
    """
    limit = udp_limit(query)
    if len(answer) <= limit:
        return answer
    number, flags, questions, records, *_ = _HEADER.unpack_from(answer)
    end = _questions_end(answer)
    if end is None:
        questions, end = 0, SHORTEST
    kept = 0
    while kept < records:
        following = _record_end(answer, end)
        if following is None or following > limit:
            break
        kept, end = kept + 1, following
    return _HEADER.pack(number, flags | _TC, questions, kept, 0, 0) + answer[SHORTEST:end]


def udp_limit(query: bytes) -> int:
    """Return how many bytes the asker takes over UDP."""
    position = _questions_end(query)
    for _ in range(sum(_HEADER.unpack_from(query)[3:])):
        if position is None:
            break
        fields = _name_end(query, position)
        following = _record_end(query, position)
        if fields is None or following is None:
            break
        kind, size, _, _ = _RECORD.unpack_from(query, fields)
        if kind == _OPT:
            return max(CLASSIC_LIMIT, int(size))
        position = following
    return CLASSIC_LIMIT


def _questions(message: bytes) -> int:
    return int(_HEADER.unpack_from(message)[2])


def _questions_end(message: bytes) -> int | None:
    position = SHORTEST
    for _ in range(_questions(message)):
        end = _name_end(message, position)
        if end is None or end + 4 > len(message):
            return None
        position = end + 4
    return position


def _record_end(message: bytes, position: int) -> int | None:
    fields = _name_end(message, position)
    if fields is None or fields + _RECORD.size > len(message):
        return None
    *_, length = _RECORD.unpack_from(message, fields)
    end = fields + _RECORD.size + int(length)
    return end if end <= len(message) else None


def _name_end(message: bytes, position: int) -> int | None:
    while position < len(message):
        length = message[position]
        if length == 0:
            return position + 1
        if length & _POINTER == _POINTER:
            return position + 2
        position += 1 + length
    return None
