"""The stream of files: everything once, then whatever changes, at the pace at which it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Final

from tpconfig.agent.volumes import Volume
from tpconfig.mux import filerecords, serving

BEAT_S: Final = 1.0
"""Seconds between two looks."""

SHARE: Final = 20
"""A look that takes long comes so many times its own duration apart from the next."""


class CopyStream(asyncio.Protocol):
    """Sends volumes to the peer.

    Args:
        mounts: what may be asked for, as `volumes.mounts` says it.
        tasks: where the work runs.
    """

    def __init__(self, mounts: list[dict[str, Any]], tasks: asyncio.TaskGroup) -> None:
        self._mounts = {str(one["path"]) for one in mounts}
        self._tasks = tasks
        self._reader = filerecords.Reader()
        self._stream: asyncio.Transport | None = None
        self._work: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the stream."""
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport

    def data_received(self, data: bytes) -> None:
        """Begin with the wish."""
        try:
            for record in self._reader.feed(data):
                if isinstance(record, dict) and self._work is None:
                    wanted, limit = [str(path) for path in record["volumes"]], int(record["limit"])
                    self._work = self._tasks.create_task(
                        serving.contained(self._send_all(wanted, limit))
                    )
        except (filerecords.RecordError, KeyError, TypeError, ValueError):
            if self._stream is not None:
                self._stream.abort()

    def eof_received(self) -> bool:
        """End with the peer."""
        return False

    def pause_writing(self) -> None:
        """Wait with the next piece."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        self._stream = None
        if self._work is not None:
            self._work.cancel()

    async def _send_all(self, wanted: list[str], limit: int) -> None:
        volumes = [
            Volume(path, frozenset(m for m in self._mounts if m.startswith(path.rstrip("/") + "/")))
            for path in wanted
            if path in self._mounts
        ]
        loop = asyncio.get_running_loop()
        rounds = 0
        while self._stream is not None:
            began_s = loop.time()
            changed = [await self._send(volume.changes(limit)) for volume in volumes]
            if any(changed) or not rounds:
                rounds += 1
                await self._write(filerecords.pack({"round": rounds}))
            await asyncio.sleep(max(BEAT_S, SHARE * (loop.time() - began_s)))

    async def _send(self, pieces: Iterator[bytes]) -> bool:
        """Send one volume's changes; return whether there were any. Disks may be slow: a thread."""
        some = False
        while piece := await asyncio.to_thread(_next, pieces):
            some = True
            await self._write(piece)
        return some

    async def _write(self, data: bytes) -> None:
        await self._room.wait()
        if self._stream is not None and not self._stream.is_closing():
            self._stream.write(data)


def _next(pieces: Iterator[bytes]) -> bytes:
    """Return what comes next, small records together: a thousand of them are one piece."""
    gathered = bytearray()
    for piece in pieces:
        gathered += piece
        if len(gathered) >= 64 * 1024:
            break
    return bytes(gathered)
