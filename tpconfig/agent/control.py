"""The control stream: JSON lines in which the peer says what should listen and who is ready.

The first line goes to the peer and describes the Pod. Every request is answered, in order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final, Protocol

MAX_LINE: Final = 64 * 1024
MAX_GRACE_S: Final = 24 * 3600.0
PROTOCOLS: Final = ("tcp", "udp")


class RefusedError(Exception):
    """A request cannot be carried out; ``code`` is for programs, the message for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Commands(Protocol):
    """What a control stream can ask for."""

    def listen(self, port: int, protocol: str) -> None:
        """Open a port of the Pod.

        Raises:
            RefusedError: it cannot be had.
        """
        ...

    def unlisten(self, port: int, protocol: str) -> None:
        """Close a port of the Pod; one that is not open is no error."""
        ...

    def ready(self, value: bool) -> None:
        """Say whether the Pod should get traffic.

        Raises:
            RefusedError: the Pod is on its way out.
        """
        ...

    def grace(self, seconds: float) -> None:
        """Say how long the Pod stays ready without a link."""
        ...

    def keep(self, seconds: float) -> None:
        """Say how long the streams wait for the next connection of a lost link."""
        ...


class ControlStream(asyncio.Protocol):
    """Reads requests, one JSON object a line, and answers them.

    Args:
        commands: who carries them out.
        description: the first line's content.
        ended: called once, when the stream is over.
    """

    def __init__(
        self, commands: Commands, *, description: dict[str, Any], ended: Callable[[str], None]
    ) -> None:
        self._commands = commands
        self._description = description
        self._ended = ended
        self._stream: asyncio.Transport | None = None
        self._line = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Describe the Pod at once."""
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport
        self._send({"describe": self._description})

    def data_received(self, data: bytes) -> None:
        """Carry out every request that is complete."""
        self._line += data
        *lines, self._line = self._line.split(b"\n")
        for line in lines:
            if line.strip():
                self._request(bytes(line))
        if len(self._line) > MAX_LINE and self._stream is not None:
            self._stream.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner; without control there is no link."""
        self._stream = None
        self._ended(str(exc) if exc else "the control stream ended")

    def _request(self, line: bytes) -> None:
        try:
            request = json.loads(line)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            self._send({"id": None, "error": "unknown", "text": "not a JSON object"})
            return
        answer: dict[str, Any] = {"id": request.get("id")}
        try:
            self._carry_out(request)
        except RefusedError as refused:
            answer |= {"error": refused.code, "text": str(refused)}
        else:
            answer["ok"] = True
        self._send(answer)

    def _carry_out(self, request: dict[str, Any]) -> None:
        match request:
            case {"do": "listen", "port": int(port), "protocol": str(protocol)}:
                self._commands.listen(*_checked(port, protocol))
            case {"do": "unlisten", "port": int(port), "protocol": str(protocol)}:
                self._commands.unlisten(*_checked(port, protocol))
            case {"do": "ready", "value": bool(value)}:
                self._commands.ready(value)
            case {"do": "grace", "seconds": int() | float() as seconds} if (
                0 <= seconds <= MAX_GRACE_S
            ):
                self._commands.grace(float(seconds))
            case {"do": "keep", "seconds": int() | float() as seconds} if (
                0 <= seconds <= MAX_GRACE_S
            ):
                self._commands.keep(float(seconds))
            case {"do": "ping"}:
                pass
            case {"do": what}:
                raise RefusedError("unknown", f"cannot do {what!r} with these values")
            case _:
                raise RefusedError("unknown", "a request says what to do")

    def _send(self, message: dict[str, Any]) -> None:
        if self._stream is not None and not self._stream.is_closing():
            self._stream.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")


def _checked(port: int, protocol: str) -> tuple[int, str]:
    if not 0 < port <= 65535 or isinstance(port, bool) or protocol not in PROTOCOLS:
        raise RefusedError("unknown", f"no such port: {port}/{protocol}")
    return port, protocol
