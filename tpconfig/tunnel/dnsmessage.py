"""The little of a DNS message that the tunnel must understand: question and addresses.

Source: RFC 1035.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from struct import Struct
from typing import Final, Literal

TYPE_A: Final = 1
TYPE_SOA: Final = 6
TYPE_AAAA: Final = 28
TYPE_OPT: Final = 41
TYPE_ANY: Final = 255
CLASS_IN: Final = 1

NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3

_HEADER: Final = Struct("!HHHHHH")
_QUESTION: Final = Struct("!HH")
_RECORD: Final = Struct("!HHIH")
_RESPONSE: Final = 0x8000
_OPCODE: Final = 0x7800
_AUTHORITATIVE: Final = 0x0400
_DESIRED: Final = 0x0100
_AVAILABLE: Final = 0x0080
_POINTER: Final = 0xC0
_FIRST_NAME: Final = b"\xc0\x0c"
_MAX_JUMPS: Final = 64


class MessageError(ValueError):
    """The bytes are no DNS message that can be understood."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question, as asked.

    Attributes:
        id: what the answer must carry too.
        flags: the header's second word.
        name: lower case, without the last dot.
        type: the record type that is asked for.
        in_class: the class that is asked in.
        end: where the question ends in the message.
    """

    id: int
    flags: int
    name: str
    type: int
    in_class: int
    end: int


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """One address of an answer, and for how many seconds it holds."""

    address: str
    ttl_s: int


Section = Literal["answer", "authority", "additional"]
SECTIONS: Final[tuple[Section, ...]] = ("answer", "authority", "additional")


@dataclass(frozen=True, slots=True)
class Record:
    """A record of an answer, and where it is.

    Attributes:
        section: in which of the message's parts.
        type: its type.
        ttl_s: for how many seconds it holds.
        ttl_at: where that is written.
        end: where its value ends.
    """

    section: Section
    type: int
    ttl_s: int
    ttl_at: int
    end: int


def records(message: bytes) -> list[Record]:
    """Return every record of an answer.

    Raises:
        MessageError: it cannot be understood.
    """
    _, flags, questions, *counts = _unpack(_HEADER, message, 0)
    if not flags & _RESPONSE:
        raise MessageError("not an answer")
    position = _HEADER.size
    for _ in range(questions):
        position = _name(message, position)[1] + _QUESTION.size
    found = []
    for section, count in zip(SECTIONS, counts, strict=True):
        for _ in range(count):
            _, position = _name(message, position)
            kind, _, ttl_s, size = _unpack(_RECORD, message, position)
            end = position + _RECORD.size + size
            if end > len(message):
                raise MessageError("the message ends too early")
            found.append(Record(section, kind, ttl_s, position + 4, end))
            position = end
    return found


def parse_query(message: bytes) -> Query:
    """Read a query with exactly one question.

    Raises:
        MessageError: it is none.
    """
    if len(message) < _HEADER.size:
        raise MessageError("shorter than a header")
    ident, flags, questions, *_ = _HEADER.unpack_from(message)
    if flags & (_RESPONSE | _OPCODE) or questions != 1:
        raise MessageError("not a standard query with one question")
    name, position = _name(message, _HEADER.size)
    kind, in_class = _unpack(_QUESTION, message, position)
    end = position + _QUESTION.size
    return Query(ident, flags, name, kind, in_class, end)


def addresses(message: bytes) -> list[AddressRecord]:
    """Return the addresses in an answer's answer section.

    Raises:
        MessageError: it cannot be understood.
    """
    _, flags, questions, answers, _, _ = _unpack(_HEADER, message, 0)
    if not flags & _RESPONSE:
        raise MessageError("not an answer")
    position = _HEADER.size
    for _ in range(questions):
        position = _name(message, position)[1] + _QUESTION.size
    found = []
    for _ in range(answers):
        _, position = _name(message, position)
        kind, _, ttl_s, size = _unpack(_RECORD, message, position)
        position += _RECORD.size
        value = message[position : position + size]
        position += size
        if (kind, len(value)) in ((TYPE_A, 4), (TYPE_AAAA, 16)):
            found.append(AddressRecord(str(ipaddress.ip_address(value)), ttl_s))
    return found


def answer(
    message: bytes, query: Query, *, code: int = NOERROR, address: str | None = None, ttl_s: int = 0
) -> bytes:
    """Build an answer of our own to ``message``, with at most one address of the asked type."""
    record = b""
    if address is not None:
        packed = ipaddress.ip_address(address).packed
        kind = TYPE_A if len(packed) == 4 else TYPE_AAAA
        if query.type in (kind, TYPE_ANY) and query.in_class in (CLASS_IN, TYPE_ANY):
            record = _FIRST_NAME + _RECORD.pack(kind, CLASS_IN, ttl_s, len(packed)) + packed
    flags = _RESPONSE | _AVAILABLE | query.flags & _DESIRED | code
    if address is not None:
        flags |= _AUTHORITATIVE
    header = _HEADER.pack(query.id, flags, 1, 1 if record else 0, 0, 0)
    return header + message[_HEADER.size : query.end] + record


def malformed(message: bytes) -> bytes:
    """Return FORMERR for what cannot be understood, or nothing when even its id is missing."""
    if len(message) < _HEADER.size or message[2] & 0x80:
        return b""
    ident, flags, *_ = _HEADER.unpack_from(message)
    return _HEADER.pack(ident, _RESPONSE | flags & (_OPCODE | _DESIRED) | FORMERR, 0, 0, 0, 0)


def _name(message: bytes, position: int) -> tuple[str, int]:
    """Return the name at ``position`` and where what follows it begins."""
    labels: list[str] = []
    end = -1
    for _ in range(_MAX_JUMPS + 128):
        if position >= len(message):
            break
        length = message[position]
        if length & _POINTER == _POINTER:
            if position + 1 >= len(message):
                break
            end = position + 2 if end < 0 else end
            position = (length & ~_POINTER) << 8 | message[position + 1]
        elif length & _POINTER:
            break
        elif length == 0:
            return ".".join(labels).lower(), position + 1 if end < 0 else end
        else:
            label = message[position + 1 : position + 1 + length]
            labels.append(label.decode("ascii", "backslashreplace"))
            position += 1 + length
    raise MessageError("a name that does not end")


def _unpack(layout: Struct, message: bytes, position: int) -> tuple[int, ...]:
    if position + layout.size > len(message):
        raise MessageError("the message ends too early")
    return layout.unpack_from(message, position)
