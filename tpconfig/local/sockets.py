"""Who listens on this machine, as the kernel's own tables tell it."""

from __future__ import annotations

import ipaddress
import os
import sys
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


def _as_in_table(address: str) -> str:
    packed = ipaddress.ip_address(address).packed
    words = [packed[at : at + 4] for at in range(0, len(packed), 4)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)


_REACHED_BY_LOOPBACK: Final = frozenset(
    map(_as_in_table, ("127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0"))
)


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
        for inode, _, number in _entries(proc / "net" / table, state):
            inodes[inode] = (protocol, number)
    owners = dict.fromkeys(inodes.values(), Owner())
    for inode, pid in _socket_owners(proc, inodes.keys()):
        owners[inodes[inode]] = Owner(pid, _command(proc / str(pid)))
    return owners


def loopback_ports(process: Path) -> set[int]:
    """Return the TCP ports that a process would reach somebody on at its own localhost.

    ``process`` is its folder under ``/proc``; nothing where it has ended.
    """
    return {
        number
        for table in ("tcp", "tcp6")
        for _, address, number in _entries(process / "net" / table, _LISTEN)
        if address in _REACHED_BY_LOOPBACK
    }


def _entries(table: Path, state: str) -> list[tuple[str, str, int]]:
    """Return inode, address (as the table writes it) and port of its sockets in a state."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split()
        if fields[3] == state:
            address, _, number = fields[1].rpartition(":")
            found.append((fields[9], address, int(number, 16)))
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
