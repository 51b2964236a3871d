"""What the processes of a session wrote, kept in its folder for ``tp logs``.

One line of text each: the time, the workload, the stream, and the line as it came, byte by byte.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from tpconfig.model.events import Event, ProcessOutput
from tpconfig.session.executor import Emit

ROTATE_BYTES: Final = 8 * 1024 * 1024
"""Past this a file becomes the older one, in whose place; so two of these are kept at most."""

FLUSH_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Written:
    """A line that a workload's process wrote at ``at``, seconds since the epoch."""

    at: float
    output: ProcessOutput


def older(path: Path) -> Path:
    """Return where the lines before those of ``path`` are."""
    return path.with_name(f"{path.name}.1")


def kept(emit: Emit, path: Path) -> Emit:
    """Return an ``emit`` that also keeps what processes write; a former session's is dropped."""
    keeping: _Keeping | None = None

    def both(event: Event) -> None:
        nonlocal keeping
        if isinstance(event, ProcessOutput):
            if keeping is None:
                keeping = _Keeping(path)
            keeping.take(event)
        emit(event)

    return both


class _Keeping:
    """Writes lines, and makes room."""

    def __init__(self, path: Path) -> None:
        older(path).unlink(missing_ok=True)
        self._path = path
        self._file = _open(path)
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._flushing = False

    def take(self, output: ProcessOutput) -> None:
        """Keep a line; a full disk costs lines, never the session."""
        head = f"{time.time():.3f} {output.workload} {output.stream} ".encode()
        try:
            self._size += self._file.write(head + output.line + b"\n")
            if self._size >= ROTATE_BYTES:
                self._file.close()
                self._path.replace(older(self._path))
                self._file, self._size = _open(self._path), 0
        except OSError:
            return
        if not self._flushing:
            self._flushing = True
            self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._flushing = False
        try:
            self._file.flush()
        except OSError:
            pass


def _open(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "wb")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which lines: of these workloads (none: of all), since then, the last so many."""

    workloads: Collection[str] = ()
    since: float = 0.0
    tail: int | None = None

    def takes(self, one: Written) -> bool:
        """Tell whether a line is among them, but for ``tail``."""
        return one.at >= self.since and (
            not self.workloads or one.output.workload in self.workloads
        )


@dataclass(slots=True)
class Reading:
    """Reads what is kept, and then what is added, through every rotation."""

    path: Path
    choice: Choice
    _file: IO[bytes] | None = None
    _rest: bytes = b""
    _inode: int = field(default=0)

    def begin(self) -> list[Written]:
        """Return what is there."""
        found: list[Written] = []
        try:
            found += _parsed(older(self.path).read_bytes())
        except OSError:
            pass
        found += list(self._added())
        chosen = [one for one in found if self.choice.takes(one)]
        return list(deque(chosen, self.choice.tail)) if self.choice.tail is not None else chosen

    def more(self) -> list[Written]:
        """Return what was added since."""
        return [one for one in self._added() if self.choice.takes(one)]

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()

    def _added(self) -> Iterator[Written]:
        while True:
            if self._file is None:
                try:
                    self._file = self.path.open("rb")
                except OSError:
                    return
                self._inode, self._rest = os.fstat(self._file.fileno()).st_ino, b""
            moved = self._has_moved()  # before reading: what is added until then is read
            data = self._rest + self._file.read()
            *_, self._rest = data.rsplit(b"\n", 1) if b"\n" in data else (data,)
            yield from _parsed(data[: len(data) - len(self._rest)])
            if not moved:
                return
            self._file.close()
            self._file = None

    def _has_moved(self) -> bool:
        try:
            return self.path.stat().st_ino != self._inode
        except OSError:
            return False


def _parsed(data: bytes) -> Iterator[Written]:
    for raw in data.split(b"\n")[:-1]:
        at, workload, stream, line = raw.split(b" ", 3)
        yield Written(float(at), ProcessOutput(workload.decode(), stream.decode(), line))
