"""Who listens on this machine, as the kernel's own tables tell it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"
_UNCONNECTED: Final = "07"
_TABLES: Final = (
    ("tcp", "tcp", _LISTEN),
    ("tcp", "tcp6", _LISTEN),
    ("udp", "udp", _UNCONNECTED),
    ("udp", "udp6", _UNCONNECTED),
)
_MAX_COMMAND: Final = 60


@dataclass(frozen=True, slots=True)
class Owner:
    """A process with a socket; all ``None`` where it may not be seen."""

    pid: int | None = None
    command: str | None = None

    def __str__(self) -> str:
        if self.pid is None:
            return "a process of another user"
        return f"{self.command} (pid {self.pid})"


def listening(proc: Path = Path("/proc")) -> dict[tuple[str, int], Owner]:
    """Return the owners of all bound ports, by protocol and number.

    ``proc`` is a process file system; outside Linux there is none, and nothing is known.
    """
    inodes: dict[str, tuple[str, int]] = {}
    for protocol, table, state in _TABLES:
        for inode, number in _bound(proc / "net" / table, state):
            inodes[inode] = (protocol, number)
    owners = dict.fromkeys(inodes.values(), Owner())
    for inode, pid in _socket_owners(proc, inodes.keys()):
        owners[inodes[inode]] = Owner(pid, _command(proc / str(pid)))
    return owners


def _bound(table: Path, state: str) -> list[tuple[str, int]]:
    """Return inode and port of the table's sockets in a state."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split()
        if fields[3] == state:
            found.append((fields[9], int(fields[1].rpartition(":")[2], 16)))
    return found


def _socket_owners(proc: Path, inodes: Collection[str]) -> Iterator[tuple[str, int]]:
    """Yield each socket of interest with the process that holds it open."""
    links = {f"socket:[{inode}]": inode for inode in inodes}
    for process in os.scandir(proc):
        if not process.name.isdigit():
            continue
        try:
            descriptors = list(os.scandir(f"{process.path}/fd"))
        except OSError:
            continue  # another user's, or gone
        for descriptor in descriptors:
            try:
                inode = links.get(os.readlink(descriptor.path))
            except OSError:
                continue
            if inode is not None:
                yield inode, int(process.name)


def _command(process: Path) -> str:
    try:
        words = (process / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        words = []
    line = " ".join(word.decode(errors="replace") for word in words)
    return line if len(line) <= _MAX_COMMAND else line[: _MAX_COMMAND - 1] + "…"
