"""Files in a stream: records of a JSON header and the bytes that it announces.

The client's first record is its wish, ``{"volumes": [PATH...], "limit": BYTES}``. The agent answers
with what is there, and goes on with what has changed, for as long as the stream is open:

    {"begin": VOLUME, "whole": true}
    {"name": "a/b", "kind": "file", "mode": 420, "mtime_ns": 0, "size": 3} and three bytes
    {"name": "a", "kind": "folder", "mode": 493}    {"name": "c", "kind": "link", "to": "a/b"}
    {"end": VOLUME, "gone": [NAME...], "skipped": [[NAME, WHY]...]}    or, with no entries, "over"
    {"round": 1}

``whole``: all that is there follows, not only what has changed. A volume that is one file has one
entry, with the empty name. Names are relative; text that is no UTF-8 survives as lone surrogates.
"""

from __future__ import annotations

import json
from struct import Struct
from typing import Any, Final

Header = dict[str, Any]

MAX_HEADER: Final = 4 * 1024 * 1024
"""Bytes: the largest are lists of the names of what is gone."""

_PREFIX: Final = Struct("!II")


class RecordError(Exception):
    """What arrives are no records."""


def pack(header: Header, size: int = 0) -> bytes:
    """Return a record's head; ``size`` bytes have to follow it."""
    body = json.dumps(header, separators=(",", ":")).encode("ascii")
    return _PREFIX.pack(len(body), size) + body


class Reader:
    """Takes records off a stream: headers, and their bytes in the pieces in which they come."""

    __slots__ = ("_held", "_left")

    def __init__(self) -> None:
        self._held = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> list[Header | bytes]:
        """Return what ``data`` completes; behind a header come all of its bytes, then the next.

        Raises:
            RecordError: these are no records.
        """
        self._held += data
        found: list[Header | bytes] = []
        while self._held:
            if self._left:
                piece = bytes(self._held[: self._left])
                self._left -= len(piece)
                del self._held[: len(piece)]
                found.append(piece)
                continue
            if len(self._held) < _PREFIX.size:
                break
            length, size = _PREFIX.unpack_from(self._held)
            if length > MAX_HEADER:
                raise RecordError(f"a header of {length} bytes")
            if len(self._held) < _PREFIX.size + length:
                break
            found.append(_header(bytes(self._held[_PREFIX.size : _PREFIX.size + length])))
            del self._held[: _PREFIX.size + length]
            self._left = size
        return found


def _header(body: bytes) -> Header:
    try:
        header = json.loads(body)
    except ValueError as error:
        raise RecordError("a header that is not JSON") from error
    if not isinstance(header, dict):
        raise RecordError("a header that is no object")
    return header
