"""Reads a log file and what is added to it, through its rotations (``name`` becomes ``name.1``)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def older(path: Path) -> Path:
    """Return where the lines before those of ``path`` are."""
    return path.with_name(f"{path.name}.1")


class Tail:
    """The lines of a log; a line counts once its newline is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._rest = b""
        self._inode = 0

    def begin(self) -> list[bytes]:
        """Return what is there, the file before this one included."""
        try:
            before = older(self._path).read_bytes().split(b"\n")[:-1]
        except OSError:
            before = []
        return [*before, *self._added()]

    def more(self) -> list[bytes]:
        """Return what was added since."""
        return list(self._added())

    def close(self) -> None:
        """Read no more."""
        if self._file is not None:
            self._file.close()

    def _added(self) -> Iterator[bytes]:
        while True:
            if self._file is None:
                try:
                    self._file = self._path.open("rb")
                except OSError:
                    return
                self._inode, self._rest = os.fstat(self._file.fileno()).st_ino, b""
            moved = self._has_moved()  # before reading: what is added until then is read
            *ended, self._rest = (self._rest + self._file.read()).split(b"\n")
            yield from ended
            if not moved:
                return
            self._file.close()
            self._file = None

    def _has_moved(self) -> bool:
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return False
