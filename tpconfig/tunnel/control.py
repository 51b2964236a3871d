"""The client's end of the control stream: requests with answers, and how the Pod looks."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_LINE: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mounted:
    """A volume as the Pod's container has it.

    ``atomic``: written as a whole and read-only, as ConfigMaps, Secrets and tokens are.
    """

    path: str
    folder: bool = True
    read_only: bool = False
    atomic: bool = False

    @staticmethod
    def from_json(given: Mapping[str, Any]) -> Mounted:
        """Read one; a path that is not absolute and plain is none.

        Raises:
            ValueError: a value has another type than it must have.
        """
        path = str(given["path"])
        if not path.startswith("/") or path != os.path.normpath(path) or "\0" in path:
            raise ValueError(f"not a mount point: {path!r}")
        flags = (bool(given[key]) for key in ("folder", "read_only", "atomic"))
        return Mounted(path, *flags)


@dataclass(frozen=True, slots=True)
class Description:
    """What a Pod looks like from inside. Values may hold lone surrogates for bytes (PEP 383)."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    resolv_conf: str = ""
    hosts: str = ""
    hostname: str = ""
    uid: int = 0
    gid: int = 0
    cwd: str = "/"
    python: str = ""
    capabilities: tuple[str, ...] = ()
    pid: int = 0
    mounts: tuple[Mounted, ...] = ()
    sftp: bool = False

    @staticmethod
    def from_json(given: Mapping[str, Any]) -> Description:
        """Read the agent's description.

        Raises:
            ValueError: a value has another type than it must have.
        """
        try:
            return Description(
                env={str(key): str(value) for key, value in dict(given["env"]).items()},
                resolv_conf=str(given["resolv_conf"]),
                hosts=str(given["hosts"]),
                hostname=str(given["hostname"]),
                uid=int(given["uid"]),
                gid=int(given["gid"]),
                cwd=str(given["cwd"]),
                python=str(given["python"]),
                capabilities=tuple(str(one) for one in given["capabilities"]),
                pid=int(given["pid"]),
                mounts=tuple(Mounted.from_json(one) for one in given["mounts"]),
                sftp=bool(given["sftp"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the agent's description cannot be read: {error!r}") from error


class GarbledAnswerError(Exception):
    """What the agent says cannot be read; it would say the same again."""


class RequestRefusedError(Exception):
    """The agent says no; ``code`` is for programs, the message for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text or code)
        self.code = code


class ControlClient(asyncio.Protocol):
    """Speaks JSON lines with the agent.

    Args:
        ended: called once when the stream is over, with the reason.
    """

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._stream: asyncio.Transport | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._over: str | None = None
        self.described: asyncio.Future[Description] = self._loop.create_future()

    def request(self, do: str, **values: object) -> asyncio.Future[None]:
        """Ask the agent; what is returned is done when it has answered.

        It raises ``RequestRefusedError`` where the agent says no, and ``ConnectionResetError``
        where the stream ended before there was an answer.
        """
        answered: asyncio.Future[None] = self._loop.create_future()
        if self._stream is None:
            answered.set_exception(ConnectionResetError(self._over or "the stream is not open"))
            return answered
        self._last_id += 1
        self._waiting[self._last_id] = answered
        line = json.dumps({"id": self._last_id, "do": do, **values}, separators=(",", ":"))
        self._stream.write(line.encode() + b"\n")
        return answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport

    def data_received(self, data: bytes) -> None:
        """Read every line that is complete."""
        first, newline, rest = data.partition(b"\n")
        self._pieces.append(first)
        self._size += len(first)
        if self._size > MAX_LINE:
            self._break("the agent sent a line without an end")
            return
        while newline and self._over is None:
            line = b"".join(self._pieces)
            first, newline, rest = rest.partition(b"\n")
            self._pieces, self._size = [first], len(first)
            self._read(line)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whatever waits for an answer."""
        if self._over is not None:
            return
        self._stream = None
        self._over = str(exc) if exc else "the agent closed the control stream"
        lost = ConnectionResetError(self._over)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(lost)
        if not self.described.done():
            self.described.set_exception(lost)
            self.described.exception()  # nobody may be waiting, which is no bug
        self._ended(self._over)

    def _read(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            if "describe" in message:
                if not self.described.done():
                    self.described.set_result(Description.from_json(message["describe"]))
                return
            answered = self._waiting.pop(message["id"], None)
        except (ValueError, KeyError, TypeError) as error:
            self._break(f"the agent's answer cannot be read: {error}")
            return
        if answered is None or answered.done():
            return
        if "error" in message:
            refused = RequestRefusedError(str(message["error"]), str(message.get("text", "")))
            answered.set_exception(refused)
        else:
            answered.set_result(None)

    def _break(self, reason: str) -> None:
        """End the stream because of what the agent said; who waits hears of it at once."""
        self._pieces, self._size = [], 0
        stream = self._stream
        if not self.described.done():
            self.described.set_exception(GarbledAnswerError(reason))
            self.described.exception()  # nobody may be waiting, which is no bug
        if stream is not None:
            self.connection_lost(ConnectionResetError(reason))
            stream.abort()
