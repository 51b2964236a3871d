"""Streams whose every byte is checked: what went out comes back, all of it, once, in order."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import dataclass, field

PIECE = 48 * 1024


@dataclass
class Checked:
    """One stream to an echo, with what went out and what came back."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seed: int
    sent: int = 0
    received: int = 0
    _out: hashlib._Hash = field(default_factory=hashlib.sha256)
    _in: hashlib._Hash = field(default_factory=hashlib.sha256)

    async def run(self, stop: asyncio.Event, *, pace_s: float) -> None:
        """Write and read until ``stop``, then to the end."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write(stop, pace_s))
            tasks.create_task(self._read())

    def check(self) -> None:
        """Fail where a byte was lost, doubled, altered or moved."""
        assert self.received == self.sent
        assert self._in.digest() == self._out.digest()

    async def _write(self, stop: asyncio.Event, pace_s: float) -> None:
        rng = random.Random(self.seed)
        while not stop.is_set():
            data = rng.randbytes(rng.randrange(1, PIECE))
            self._out.update(data)
            self.sent += len(data)
            self.writer.write(data)
            await self.writer.drain()
            await asyncio.sleep(pace_s * rng.random())
        self.writer.write_eof()

    async def _read(self) -> None:
        while data := await self.reader.read(65536):
            self._in.update(data)
            self.received += len(data)
        self.writer.close()
