"""Messages with open descriptors, over a Unix stream socket between ``tp`` and its keeper.

A message is a five-byte header (length, number of descriptors), which the descriptors travel
with, and a JSON object. Text that is no UTF-8 survives: it is ASCII with lone surrogates escaped.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections import deque
from typing import Any, Final

Message = dict[str, Any]

HEADER: Final = struct.Struct("!IB")
MAX_DESCRIPTORS: Final = 16
MAX_BODY: Final = 32 * 1024 * 1024
_CHUNK: Final = 256 * 1024
_CLOSE_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def encode(message: Message, descriptors: int = 0) -> tuple[bytes, bytes]:
    """Return the header, which must be sent together with the descriptors, and the body."""
    body = json.dumps(message).encode("ascii")
    return HEADER.pack(len(body), descriptors), body


def ancillary(descriptors: tuple[int, ...]) -> list[tuple[int, int, array.array[int]]]:
    """Return what ``sendmsg`` needs to send ``descriptors`` along."""
    if not descriptors:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]


def send(sock: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message on a blocking socket."""
    header, body = encode(message, len(descriptors))
    sock.sendmsg([header], ancillary(descriptors))
    sock.sendall(body)


class Inbox:
    """Puts messages together again from what arrives on the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()
        self._descriptors: deque[int] = deque()

    def receive(self) -> list[tuple[Message, tuple[int, ...]]] | None:
        """Read once and return the messages that are complete; ``None`` at the end.

        Raises:
            BlockingIOError: there is nothing to read on a non-blocking socket.
            ValueError: the other end is not a keeper.
        """
        data, controls, _, _ = self._sock.recvmsg(
            _CHUNK, socket.CMSG_SPACE(4 * MAX_DESCRIPTORS), _CLOSE_ON_EXEC
        )
        for level, kind, payload in controls:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                numbers = array.array("i")
                numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
                self._descriptors.extend(numbers)
                if not _CLOSE_ON_EXEC:
                    for number in numbers:
                        os.set_inheritable(number, False)
        if not data:
            return None
        self._data += data
        return self._complete()

    def close(self) -> None:
        """Close the descriptors of messages that never became complete."""
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _complete(self) -> list[tuple[Message, tuple[int, ...]]]:
        messages = []
        while len(self._data) >= HEADER.size:
            length, count = HEADER.unpack_from(self._data)
            if length > MAX_BODY or count > MAX_DESCRIPTORS:
                raise ValueError("not a message of the keeper's protocol")
            if len(self._data) < HEADER.size + length:
                break
            body = bytes(self._data[HEADER.size : HEADER.size + length])
            del self._data[: HEADER.size + length]
            descriptors = tuple(self._descriptors.popleft() for _ in range(count))
            messages.append((json.loads(body), descriptors))
        return messages
