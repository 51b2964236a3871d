"""What the processes of a session wrote, kept in its folder for ``tp logs``.

One line of text each: the time, the workload, the stream, and the line as it came, byte by byte.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from tpconfig.local.tailing import Tail, older
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


class Reading:
    """Reads what is kept, and then what is added."""

    def __init__(self, path: Path, choice: Choice) -> None:
        self._tail = Tail(path)
        self._choice = choice

    def begin(self) -> list[Written]:
        """Return what is there."""
        found = self._chosen(self._tail.begin())
        return list(deque(found, self._choice.tail)) if self._choice.tail is not None else found

    def more(self) -> list[Written]:
        """Return what was added since."""
        return self._chosen(self._tail.more())

    def close(self) -> None:
        """Read no more."""
        self._tail.close()

    def _chosen(self, lines: list[bytes]) -> list[Written]:
        return [one for one in map(_parsed, lines) if self._choice.takes(one)]


def _parsed(raw: bytes) -> Written:
    at, workload, stream, line = raw.split(b" ", 3)
    return Written(float(at), ProcessOutput(workload.decode(), stream.decode(), line))
